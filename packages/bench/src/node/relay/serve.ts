// Our server for the load: serve.ts PORT. Ends by SIGTERM.
import { RelayServer } from '@bt/nat-punch/node';

const server = await RelayServer.start({
  port: Number(process.argv[2]),
  addresses: ['127.0.0.1'],
  realm: 'p2p',
  allowPeers: ['127.0.0.0/8'],
  requestsPerSecond: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  access: {
    passwordOf: (username) => (username === 'alice' ? 'secret' : undefined),
    mayReach: () => 'class',
  },
});
process.once('SIGTERM', () => void server.close());
