"""libtorrent's node as a server for the load: prints its port, and ends with its standard input."""

import sys

import libtorrent as lt

session = lt.session(
    {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": True,
        "dht_bootstrap_nodes": "",
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_ignore_dark_internet": False,
        "dht_prefer_verified_node_ids": False,
        "dht_max_peers_reply": 100,
        "dht_block_ratelimit": 1_000_000,
        "dht_upload_rate_limit": 1_000_000_000,
        "alert_mask": 0,
    }
)
while session.listen_port() == 0:
    session.wait_for_alert(50)
print(session.listen_port(), flush=True)
sys.stdin.read()
