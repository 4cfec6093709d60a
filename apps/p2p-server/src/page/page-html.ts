// The page around its script. Nothing is loaded from anywhere else.

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  * { box-sizing: border-box; }
  body { display: flex; flex-direction: column; height: 100dvh; max-width: 48rem; margin: 0 auto; padding: 1rem; gap: .75rem; }
  header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; }
  h1 { font-size: 1.1rem; margin: 0; }
  #partners { color: GrayText; font-size: .85rem; width: 100%; margin: 0; }
  #log { flex: 1; overflow-y: auto; list-style: none; margin: 0; padding: .75rem; border: 1px solid color-mix(in srgb, CanvasText 20%, Canvas); border-radius: .5rem; }
  #log li { overflow-wrap: anywhere; white-space: pre-wrap; }
  #log .note { color: GrayText; font-style: italic; }
  #log .own b { color: GrayText; }
  form { display: flex; flex-wrap: wrap; gap: .5rem; }
  input { flex: 1 1 8rem; min-width: 0; }
  input, button { font: inherit; padding: .5rem .75rem; border: 1px solid color-mix(in srgb, CanvasText 30%, Canvas); border-radius: .5rem; background: Canvas; color: CanvasText; }
  button { cursor: pointer; }
  li button { padding: 0 .5rem; }
  [hidden] { display: none; }
  :root:not([data-state=new]) #join, [data-state=new] #say, [data-state=new] #log, [data-state=new] #partners { display: none; }
`;

/** The whole document. */
export function pageHtml(script: string): string {
  // What would end the element within the script is text there.
  const safe = script.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--');
  return `<!doctype html>
<html lang="en" data-state="new">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<header>
  <h1>Chat</h1>
  <span id="status" role="status">Whoever joins the same pool is your partner.</span>
  <p id="partners">Nobody else is here yet.</p>
</header>
<form id="join">
  <input id="pool" name="pool" placeholder="Pool, such as 100" maxlength="64" required autofocus aria-label="Pool">
  <input name="name" placeholder="Your name" maxlength="32" autocomplete="nickname" aria-label="Your name">
  <input name="phrase" type="password" placeholder="Phrase, if you agreed on one" autocomplete="off" aria-label="Phrase">
  <button>Join</button>
</form>
<ol id="log" aria-live="polite"></ol>
<form id="say">
  <input id="text" placeholder="Say something" autocomplete="off" aria-label="What you say">
  <button>Say</button>
  <button type="button" id="send" title="Send a file">File</button>
  <input id="file" type="file" multiple hidden>
</form>
<script>${safe}</script>
</html>
`;
}
