"""One libtorrent session with one torrent, driven by a JSON object on the command line; prints a JSON line per state change.

Keys: torrent (a path or a magnet link), dht (list of "host:port" to join the DHT by), save_torrent (path: the .torrent that
the metadata makes), folder, address, port, upload_limit (bytes/s, 0 = none), seed (bool), peers (list of "host:port"), interval (s).
"""
import json
import signal
import sys
import time

import libtorrent as lt

config = json.loads(sys.argv[1])
stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)

settings = {
    "listen_interfaces": f"{config['address']}:{config['port']}",
    "outgoing_interfaces": "",
    "enable_dht": config.get("dht") is not None,
    "dht_bootstrap_nodes": "",
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    "allow_multiple_connections_per_ip": True,
    "mixed_mode_algorithm": 0,
    "upload_rate_limit": config.get("upload_limit", 0),
    "announce_to_all_trackers": True,
    "announce_to_all_tiers": True,
    "prefer_udp_trackers": False,
    "close_redundant_connections": False,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.tracker_notification | lt.alert.category_t.status_notification,
}
settings.update(config.get("settings", {}))
session = lt.session(settings)
# Local peers are exempt from rate limits unless every address belongs to the global class.
classes = lt.ip_filter()
classes.add_rule("0.0.0.0", "255.255.255.255", 1 << 0)
session.set_peer_class_filter(classes)

for node in config.get("dht") or []:
    host, port = node.rsplit(":", 1)
    session.add_dht_node((host, int(port)))
if config["torrent"].startswith("magnet:"):
    params = lt.parse_magnet_uri(config["torrent"])
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(config["torrent"])
params.save_path = config["folder"]
if config.get("seed"):
    params.flags |= lt.torrent_flags.seed_mode
params.flags &= ~lt.torrent_flags.auto_managed
params.flags &= ~lt.torrent_flags.paused
handle = session.add_torrent(params)
for peer in config.get("peers", []):
    host, port = peer.rsplit(":", 1)
    handle.connect_peer((host, int(port)))

last = None
while not stopping:
    for alert in session.pop_alerts():
        if "error" in alert.what().lower() or "failed" in alert.what().lower() or "ban" in alert.what().lower():
            print(json.dumps({"alert": alert.message()}), flush=True)
    status = handle.status()
    if config.get("save_torrent") and status.has_metadata:
        with open(config["save_torrent"], "wb") as file:
            file.write(lt.bencode(lt.create_torrent(handle.torrent_file()).generate()))
        config["save_torrent"] = None
        print(json.dumps({"metadata": True}), flush=True)
    seen = (str(status.state), status.is_seeding)
    if seen != last:
        last = seen
        print(json.dumps({"state": str(status.state), "complete": bool(status.is_seeding), "port": session.listen_port()}), flush=True)
    time.sleep(config.get("interval", 0.05))
status = handle.status()
print(json.dumps({"uploaded": status.total_payload_upload, "downloaded": status.total_payload_download}), flush=True)
