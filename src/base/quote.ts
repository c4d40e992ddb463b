const shownMax = 200;

/**
 * A name as messages show it: as it is when all of it can be seen, else in double quotes with
 * escapes; cut when it is long.
 */
export function quote(name: string): string {
  const cut = name.length > shownMax ? `${name.slice(0, shownMax)}...` : name;
  return /^[^\p{C}"]+$/u.test(cut) && cut === cut.trim() ? cut : JSON.stringify(cut);
}
