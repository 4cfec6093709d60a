"""One run of libtorrent (Debian's python3-libtorrent): libtorrent_recheck.py TORRENT FOLDER. It hears and calls nobody."""

import json
import resource
import sys
import time

import libtorrent as lt

torrent, folder = sys.argv[1:]
session = lt.session(
    {
        "listen_interfaces": "",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "hashing_threads": 2,
        "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification,
    }
)
before = resource.getrusage(resource.RUSAGE_SELF)
start = time.perf_counter()
parameters = lt.add_torrent_params()
parameters.ti = lt.torrent_info(torrent)
parameters.save_path = folder
parameters.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = session.add_torrent(parameters)
checked = False
while not checked:
    session.wait_for_alert(1000)
    checked = any(isinstance(alert, lt.torrent_checked_alert) for alert in session.pop_alerts())
wall = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "wallSeconds": wall,
            "userSeconds": after.ru_utime - before.ru_utime,
            "systemSeconds": after.ru_stime - before.ru_stime,
            "peakBytes": after.ru_maxrss * 1024,
            "result": f"{handle.status().num_pieces} pieces are right",
        }
    )
)
