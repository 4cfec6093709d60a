// The page as the server serves it: one document, with the script that the build has put beside the program.
import { readFile } from 'node:fs/promises';
import { pageHtml } from './page-html.ts';

/** Undefined where the page has not been built, as when the program runs from its source. */
export async function loadPage(
  script = new URL('./page.js', import.meta.url),
): Promise<string | undefined> {
  try {
    return pageHtml(await readFile(script, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
