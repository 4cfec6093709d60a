// npm create-torrent as a program: create-torrent.mjs PIECE_BYTES INPUT OUTPUT.
import { writeFileSync } from 'node:fs';
import createTorrent from 'create-torrent';

const [pieceBytes, input, output] = process.argv.slice(2);
const options = {
  pieceLength: Number(pieceBytes),
  announce: ['http://tracker.example/announce'],
  filterJunkFiles: false,
};
createTorrent(input, options, (error, torrent) => {
  if (error) throw error;
  writeFileSync(output, torrent);
});
