// The packages as a user gets them: packed, installed together in an empty project, their README examples run, their types resolved,
// and the pure ones run in a browser.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build, transform } from 'esbuild';
import { findProgram } from '../programs.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);
/** Packages that must bundle for, and run in, a browser. */
const BROWSER = ['bencode', 'endpoint', 'metainfo', 'wire', 'picker', 'choker'];

/** pnpm, at the version that the repository names. */
async function pnpm(root: string): Promise<readonly string[]> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return ['-y', manifest.packageManager];
}

interface Published {
  readonly name: string;
  readonly folder: string;
  readonly example: string | undefined;
  /** What the README says the example prints. */
  readonly expected: string;
}

async function publishedPackages(root: string): Promise<Published[]> {
  const found: Published[] = [];
  for (const name of (await readdir(join(root, 'packages'))).sort()) {
    const folder = join(root, 'packages', name);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    if (manifest.private === true) continue;
    const readme = await readFile(join(folder, 'README.md'), 'utf8');
    const example = /```ts\n([\s\S]*?)```(?:\s*```text\n([\s\S]*?)```)?/.exec(readme);
    found.push({ name, folder, example: example?.[1], expected: (example?.[2] ?? '').trim() });
  }
  return found;
}

/** Packs every package, and installs the tarballs together in an empty project. */
async function installTarballs(
  root: string,
  packages: readonly Published[],
  project: string,
): Promise<void> {
  const tarballs: string[] = [];
  const manager = await pnpm(root);
  for (const { folder } of packages) {
    const { stdout } = await run(
      'npx',
      [...manager, 'pack', '--json', '--pack-destination', project],
      {
        cwd: folder,
      },
    );
    tarballs.push(JSON.parse(stdout).filename);
  }
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  await run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--silent', ...tarballs, '@types/node@20'],
    {
      cwd: project,
    },
  );
}

/** The example as a CommonJS program: its imports become `require`, the rest runs in an async function. */
function asCommonJs(source: string): string {
  const body = source.replace(
    /^import (?:type )?(\{[\s\S]*?\}|\* as \w+|\w+) from ("[^"]+"|'[^']+');$/gm,
    (_, names: string, from: string) =>
      names.startsWith('*')
        ? `const ${names.slice(5)} = require(${from});`
        : `const ${names.replaceAll(' as ', ': ')} = require(${from});`,
  );
  return `(async () => {\n${body}\n})().catch((error) => { console.error(error); process.exit(1); });\n`;
}

async function output(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await run(command, [...args], { cwd, timeout: 60_000 })).stdout.trim();
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return `failed: ${(stderr ?? message).trim().slice(-600)}`;
  }
}

async function* packages(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const all = await publishedPackages(context.root);
  const project = join(context.folder, 'project');
  await mkdir(project);
  await installTarballs(context.root, all, project);
  yield {
    command: `pnpm pack, npm install of ${all.length} tarballs in an empty project`,
    figure: all.map(({ name }) => name).join(' '),
    pass: true,
  };
  for (const { name, example, expected } of all) {
    if (example === undefined) {
      yield { command: `README example of @bt/${name}`, figure: 'there is none', pass: false };
      continue;
    }
    const { code } = await transform(example, { loader: 'ts', target: 'node20' });
    await writeFile(join(project, `${name}.ts`), example);
    await writeFile(join(project, `${name}.mjs`), code);
    await writeFile(join(project, `${name}.cjs`), asCommonJs(code));
    for (const file of [`${name}.mjs`, `${name}.cjs`]) {
      const printed = await output(process.execPath, ['--no-warnings', file], project);
      yield {
        command: `node ${file} (README example)`,
        figure: printed === expected ? 'prints what the README says' : `printed: ${printed}`,
        pass: printed === expected,
      };
    }
  }
  for (const [module, resolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'bundler'],
  ] as const) {
    const tsc = join(context.root, 'node_modules/typescript/bin/tsc');
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'ES2022',
      '--types',
      'node',
      '--module',
      module,
    ];
    const files = all
      .filter(({ example }) => example !== undefined)
      .map(({ name }) => `${name}.ts`);
    const said = await output(
      process.execPath,
      [tsc, ...flags, '--moduleResolution', resolution, ...files],
      project,
    );
    yield {
      command: `tsc on the README examples, --moduleResolution ${resolution}`,
      figure: said === '' ? 'no error' : said,
      pass: said === '',
    };
  }
  const linted = await output('npx', [...(await pnpm(context.root)), 'lint:pkg'], context.root);
  yield {
    command: 'publint --strict and attw --profile esm-only on every package',
    figure: linted.startsWith('failed') ? linted : 'clean',
    pass: !linted.startsWith('failed'),
  };
}

export const packagesLine: VerifyLine = {
  name: 'packages',
  title: 'the packages as a user gets them',
  needs: [],
  outside: true,
  run: packages,
};

/** Bundles one package's README example for a browser; a Node module in it is an error. */
async function bundleForBrowser(
  root: string,
  { name, folder, example }: Published,
): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: example ?? `import '@bt/${name}';`, loader: 'ts', resolveDir: folder },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    absWorkingDir: root,
    logLevel: 'silent',
    // The example imports its own package by name, as a user does.
    alias: { [`@bt/${name}`]: join(folder, 'dist/index.js') },
  });
  return outputFiles[0]?.text ?? '';
}

const PAGE = (
  script: string,
) => `<!doctype html><meta charset="utf-8"><pre id="out"></pre><script type="module">
const lines = [];
console.log = (...values) => lines.push(values.map(String).join(' '));
try {
  await import(URL.createObjectURL(new Blob([${JSON.stringify(script).replaceAll('<', '\\u003c')}], { type: 'text/javascript' })));
} catch (error) { lines.push('failed: ' + error.message); }
document.getElementById('out').textContent = lines.join('\\n') + '\\n[end]';
</script>`;

async function* browser(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const chromium = findProgram('chromium') ?? 'chromium';
  const all = (await publishedPackages(context.root)).filter(({ name }) => BROWSER.includes(name));
  const pages = new Map<string, string>();
  for (const one of all) pages.set(`/${one.name}`, PAGE(await bundleForBrowser(context.root, one)));
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(pages.get(request.url ?? '') ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    for (const { name, expected } of all) {
      const dom = await output(
        chromium,
        [
          ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
          ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
          `--user-data-dir=${join(context.folder, `profile-${name}`)}`,
          ...['--virtual-time-budget=10000', '--dump-dom', `http://127.0.0.1:${port}/${name}`],
        ],
        context.folder,
      );
      const text = /<pre id="out">([\s\S]*?)\n?\[end\]/.exec(dom)?.[1] ?? dom.slice(-400);
      const printed = text
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&amp;', '&')
        .trim();
      yield {
        command: `@bt/${name} bundled for a browser, README example in headless Chromium`,
        figure: printed === expected ? 'prints what the README says' : `printed: ${printed}`,
        pass: printed === expected,
      };
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export const browserLine: VerifyLine = {
  name: 'browser',
  title: 'the pure packages in a browser',
  needs: ['chromium'],
  run: browser,
};
