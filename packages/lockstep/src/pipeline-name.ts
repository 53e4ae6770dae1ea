/** What a pipeline is called when nobody says: the name of the primary's database, as a pipeline may be called. */
export function pipelineNameOf(primaryUrl: string): string {
  const database = /^[^?#]*\/([^/?#]+)(?:[?#].*)?$/.exec(primaryUrl.replace(/^[a-z]+:\/\//i, ""))?.[1] ?? "";
  const name = database
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, "_")
    .slice(0, 40);
  return /^[a-z]/.test(name) ? name : "main";
}
