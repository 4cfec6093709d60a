// npm bittorrent-dht as a server for the load: prints its port, and ends with its standard input.
import { Client } from 'bittorrent-dht';

const node = new Client({ bootstrap: false });
node.listen(0, '127.0.0.1', () => process.stdout.write(`${node.address().port}\n`));
process.stdin.resume().once('end', () => node.destroy());
