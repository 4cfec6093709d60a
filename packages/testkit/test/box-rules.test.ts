import { expect, test } from 'vitest';
import { type BoxRules, boxRuleset } from '../src/node/nat-lab/box-rules.ts';

const RULES: BoxRules = {
  nat: 'port-restricted',
  publicAddress: '203.0.113.1',
  firewall: 'drop',
  hairpin: false,
  mappingMs: 120_000,
};

test('offers no hairpin for a NAT whose mappings can not be found by their port', () => {
  expect(() => boxRuleset({ ...RULES, nat: 'symmetric', hairpin: true })).toThrow(RangeError);
  expect(boxRuleset({ ...RULES, hairpin: true })).toContain('@endpoints');
  expect(boxRuleset(RULES)).not.toContain('@endpoints dnat');
});

test('rounds the lifetime of a mapping to whole seconds, and to one at least', () => {
  expect(boxRuleset({ ...RULES, mappingMs: 5_000 })).toContain('timeout 5s');
  expect(boxRuleset({ ...RULES, mappingMs: 1 })).toContain('timeout 1s');
});

test('lets only TCP to its open ports pass a network without UDP', () => {
  const rules = boxRuleset({ ...RULES, nat: 'udp-blocked' });
  expect(rules).toContain('tcp dport { 443, 3478 } accept');
  expect(rules).not.toContain('ct status dnat accept');
});
