// What the drivers of all clients have in common, so that one test runs against each of them.

export interface TransferOptions {
  /** A .torrent file's path, or a magnet link. */
  readonly torrent: string;
  /** The folder in which the torrent's name stands (seeding) or is made (downloading). */
  readonly folder: string;
  /** A folder of the program's own, for its settings and state. */
  readonly stateFolder: string;
  /** The local address that every socket of the program is bound to, as far as the program allows. */
  readonly address: string;
  readonly port: number;
  /** Bytes a second; absent means unlimited. */
  readonly uploadLimit?: number;
  /** Peers to dial, `host:port`, where the program can be told. */
  readonly peers?: readonly string[];
  /** The program's DHT is on, and joins by these nodes, `host:port`. Absent: it finds no peer by it. */
  readonly dht?: readonly string[];
}

export interface RunningPeer {
  readonly name: string;
  /** Resolves when the program itself says that everything is downloaded. Rejects after `timeoutMs`. */
  complete(timeoutMs: number): Promise<void>;
  /** Resolves when the program is ready to serve. */
  ready(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
  /** What the program has printed, for a failed test's message. */
  output(): string;
}

export interface PeerProgram {
  readonly name: string;
  readonly supportsV2: boolean;
  readonly makesEmptyFiles: boolean;
  seed(options: TransferOptions): Promise<RunningPeer>;
  download(options: TransferOptions): Promise<RunningPeer>;
}
