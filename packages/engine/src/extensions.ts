// The extension protocol as we speak it (BEP 10): what our handshake says, and the ids under which we take messages.

import type { Endpoint } from '@bt/endpoint';
import { EXTENSION_NAME, type ExtendedHandshake } from '@bt/wire';
import { OWN_NAME, OWN_VERSION } from './client-name.ts';
import { MAX_QUEUED_UPLOADS } from './limits.ts';

/** Our ids; the remote sends under them. */
export const EXTENDED_ID = { metadata: 1, pex: 2, uploadOnly: 3 } as const;

const CLIENT = `${OWN_NAME} ${OWN_VERSION}`;

export interface OwnExtensions {
  /** 0: we don't listen. */
  readonly listenPort: number;
  /** We want nothing any more (BEP 21). */
  readonly isUploadOnly: boolean;
  /** We take part in peer exchange (BEP 11). */
  readonly hasPeerExchange: boolean;
  /** Bytes of the info dictionary; absent until it is known (BEP 9). */
  readonly metadataLength: number | undefined;
  readonly remote: Endpoint;
}

/** What we say of ourselves to a peer. */
export function ownHandshake(own: OwnExtensions): ExtendedHandshake {
  const messages = new Map<string, number>([
    [EXTENSION_NAME.metadata, EXTENDED_ID.metadata],
    [EXTENSION_NAME.uploadOnly, EXTENDED_ID.uploadOnly],
  ]);
  if (own.hasPeerExchange) messages.set(EXTENSION_NAME.pex, EXTENDED_ID.pex);
  return {
    messages,
    client: CLIENT,
    requestQueue: MAX_QUEUED_UPLOADS,
    yourAddress: own.remote.address,
    ...(own.listenPort > 0 ? { listenPort: own.listenPort } : {}),
    ...(own.metadataLength === undefined ? {} : { metadataLength: own.metadataLength }),
    ...(own.isUploadOnly ? { uploadOnly: true } : {}),
  };
}
