"""DHT nodes of libtorrent in one process, driven by a JSON object on the command line and JSON lines on standard input.

Keys: nodes (list of [address, port]), bootstrap (list of "host:port"). Prints {"nodes": [table sizes]} once a second.
Input lines, answered by one line each, with the first node:
  {"put": "text"}                                      -> {"target": hex}
  {"get": hex}                                         -> {"value": text or null}
  {"put": "text", "private": hex, "public": hex, "salt": text}  -> {"stored": number of nodes}
  {"get": hex of the public key, "salt": text}         -> {"value": text or null, "seq": number}
"""

import json
import select
import sys
import time

import libtorrent as lt

config = json.loads(sys.argv[1])
SETTINGS = {
    "enable_dht": True,
    "dht_bootstrap_nodes": "",
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    # All nodes of the laboratory share one /24.
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False,
    "alert_mask": lt.alert.category_t.dht_notification | lt.alert.category_t.error_notification,
}

sessions = []
for address, port in config["nodes"]:
    sessions.append(lt.session({**SETTINGS, "listen_interfaces": f"{address}:{port}"}))
known = config["nodes"] + [[host, int(port)] for host, port in (node.rsplit(":", 1) for node in config.get("bootstrap", []))]
for index, session in enumerate(sessions):
    for address, port in known:
        if [address, port] != config["nodes"][index]:
            session.add_dht_node((address, port))
first = sessions[0]


def alert(kind, limit_seconds=20):
    end = time.time() + limit_seconds
    while time.time() < end:
        first.wait_for_alert(200)
        for found in first.pop_alerts():
            if isinstance(found, kind):
                return found
    return None


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def answer(order):
    salt = order.get("salt", "")
    if "private" in order:
        first.dht_put_mutable_item(bytes.fromhex(order["private"]), bytes.fromhex(order["public"]), order["put"].encode(), salt.encode())
        done = alert(lt.dht_put_alert)
        return {"stored": done.num_success if done else 0}
    if "put" in order:
        target = first.dht_put_immutable_item(order["put"].encode())
        alert(lt.dht_put_alert)
        return {"target": str(target)}
    if len(order["get"]) == 64:
        first.dht_get_mutable_item(bytes.fromhex(order["get"]), salt.encode())
        found = alert(lt.dht_mutable_item_alert)
        if found is None:
            return {"value": None, "seq": 0}
        return {"value": text(found.item.get("value") if isinstance(found.item, dict) else found.item), "seq": found.seq}
    first.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(order["get"])))
    found = alert(lt.dht_immutable_item_alert)
    return {"value": None if found is None else text(found.item.get("value") if isinstance(found.item, dict) else found.item)}


while True:
    print(json.dumps({"nodes": [session.status().dht_nodes for session in sessions]}), flush=True)
    ready, _, _ = select.select([sys.stdin], [], [], 1.0)
    if ready:
        line = sys.stdin.readline()
        if not line:
            break
        print(json.dumps(answer(json.loads(line))), flush=True)
