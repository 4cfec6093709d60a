// Our node as a server for the load: prints its port, and ends with its standard input.
import { createDht } from '@bt/krpc-dht/node';

const node = await createDht({ bind: '127.0.0.1', rateLimit: false });
process.stdout.write(`${node.port}\n`);
process.stdin.resume().once('end', () => void node.close());
