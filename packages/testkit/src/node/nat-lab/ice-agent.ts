// One end of a plain WebRTC connection on a machine of the lab, ICE by libdatachannel: ice-agent.ts CONFIG OFFER|ANSWER. Signals go out as lines
// of JSON on standard output and come in on standard input; whoever started it carries them. It sends back each message that it gets.
import { createInterface } from 'node:readline';
import nodeDataChannel, { type DataChannel } from 'node-datachannel';

const [config, role] = process.argv.slice(2) as [string, 'offer' | 'answer'];
const say = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
const connection = new nodeDataChannel.PeerConnection(role, JSON.parse(config));
/** Held, or the garbage collection closes it. */
let channel: DataChannel | undefined;

connection.onLocalDescription((sdp, type) => say({ sdp, type }));
connection.onLocalCandidate((candidate, mid) => say({ candidate, mid }));
connection.onDataChannel(use);
createInterface(process.stdin).on('line', (line) => {
  const signal = JSON.parse(line);
  if (signal.sdp !== undefined) connection.setRemoteDescription(signal.sdp, signal.type);
  else if (signal.candidate !== undefined)
    connection.addRemoteCandidate(signal.candidate, signal.mid);
});
if (role === 'offer') use(connection.createDataChannel('lab'));

function use(opened: DataChannel): void {
  channel = opened;
  opened.onMessage((text) => {
    if (role === 'answer') channel?.sendMessage(`${text}`);
    else {
      const pair = connection.getSelectedCandidatePair();
      say({ echo: text, local: pair?.local.type, remote: pair?.remote.type });
    }
  });
  opened.onOpen(() => {
    if (role === 'offer') channel?.sendMessage('hello');
  });
}
