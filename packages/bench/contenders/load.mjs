// Imports a contender from where it is installed; the importer elsewhere can't see it.
export function load(name) {
  return import(name);
}
