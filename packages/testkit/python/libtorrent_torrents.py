"""Makes and reads .torrent files with libtorrent (Debian's python3-libtorrent), to compare ours with.

make MODE PIECE_LENGTH INPUT OUTPUT   MODE is v1, v2 or hybrid
read FILE...                          one line of JSON for each: what libtorrent understands
"""

import json
import os
import sys

import libtorrent as lt

FLAGS = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}


def make(mode, piece_length, source, output):
    files = lt.file_storage()
    lt.add_files(files, source)
    torrent = lt.create_torrent(files, int(piece_length), FLAGS[mode])
    lt.set_piece_hashes(torrent, os.path.dirname(os.path.abspath(source)))
    with open(output, "wb") as file:
        file.write(lt.bencode(torrent.generate()))


def describe(path):
    with open(path, "rb") as file:
        outer = lt.bdecode(file.read())
    info = lt.torrent_info(path)
    hashes = info.info_hashes()
    return {
        "name": info.name(),
        "comment": info.comment(),
        "created": outer.get(b"creation date"),
        "trackers": [[entry.url, entry.tier] for entry in info.trackers()],
        "pieceLength": info.piece_length(),
        "infoHashV1": str(hashes.v1) if hashes.has_v1() else None,
        "infoHashV2": str(hashes.v2) if hashes.has_v2() else None,
        "bytes": sum(
            info.files().file_size(i)
            for i in range(info.files().num_files())
            if not info.files().file_flags(i) & lt.file_storage.flag_pad_file
        ),
    }


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "make":
        make(*arguments)
    else:
        for name in arguments:
            print(json.dumps(describe(name)))
