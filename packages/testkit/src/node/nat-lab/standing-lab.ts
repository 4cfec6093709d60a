// A lab that stands until it is ended from outside; `--close` ends it properly. For the check that none leaves anything behind.
import { once } from 'node:events';
import { enterNamespace, inNamespace } from '../namespace.ts';
import { NatLab } from './lab.ts';
import { UdpAgent } from './udp-agent.ts';

if (inNamespace()) {
  const lab = await NatLab.create({
    networks: [{ nat: 'symmetric', hosts: 2 }, { nat: 'none' }],
    delayMs: 2,
  });
  for (const host of lab.hosts) await new UdpAgent(host).open();
  console.log('standing');
  if (!process.argv.includes('--close')) await once(process.stdin.resume(), 'never');
  await lab.close();
} else process.exitCode = enterNamespace();
