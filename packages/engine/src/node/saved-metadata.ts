// The info dictionary of a magnet link, kept beside the resume records, so that a download that is started again needs to ask
// nobody for it. It is kept as a .torrent without trackers, which holds the piece layers too (BEP 52); what is read is
// believed only if it has the link's info-hash.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMetainfo, MAX_METAINFO_BYTES, type Metainfo, parseMetainfo } from '@bt/metainfo';
import { defaultStateFolder, replaceFile } from '@bt/storage/node';

export class SavedMetadata {
  readonly #path: string | undefined;
  #saving: Promise<void> = Promise.resolve();

  /** @param stateFolder null: nothing is kept; undefined: storage's own */
  constructor(stateFolder: string | null | undefined, infoHashHex: string) {
    if (stateFolder === null) return;
    this.#path = join(stateFolder ?? defaultStateFolder(), `${infoHashHex}.torrent`);
  }

  /** Undefined when there is none that can be read and used. */
  async load(): Promise<Metainfo | undefined> {
    if (this.#path === undefined) return undefined;
    try {
      if ((await stat(this.#path)).size > MAX_METAINFO_BYTES) return undefined;
      return parseMetainfo(await readFile(this.#path));
    } catch {
      // Missing, cut or damaged: it is fetched again.
      return undefined;
    }
  }

  /** Replaces it as a whole, one save after the other. @throws what the file system says */
  save({ info, pieceLayers }: Metainfo): Promise<void> {
    const path = this.#path;
    if (path === undefined) return Promise.resolve();
    const bytes = buildMetainfo({
      info: info.bytes,
      ...(pieceLayers.size === 0 ? {} : { pieceLayers }),
    });
    const saving = this.#saving.then(() => replaceFile(path, bytes));
    this.#saving = saving.catch(() => {});
    return saving;
  }

  /** Resolves when nothing is being saved. */
  idle(): Promise<void> {
    return this.#saving;
  }
}
