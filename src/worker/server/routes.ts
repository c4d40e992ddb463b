/** Which of the routes of a server is the one that it has: found out with the first file, then known. */
export class Routes {
  private readonly routes: readonly string[];
  private at = 0;
  private isSettled = false;

  /** @param routes at least one; `{name}` stands for the name of the file */
  constructor(routes: readonly string[]) {
    this.routes = routes;
  }

  /** Where a file of this name is to be POSTed. */
  pathFor(name: string): string {
    const escaped = name.split("/").map(encodeURIComponent).join("/");
    return (this.routes[this.at] ?? "/").replaceAll("{name}", escaped);
  }

  /** Which route the next file would take. */
  get current(): number {
    return this.at;
  }

  /** The server has the current route: from here on a 404 is about the file. */
  settle(): void {
    this.isSettled = true;
  }

  /** The server does not know the route with this number; false when there is no other to try. */
  isOtherAfter(number: number): boolean {
    if (this.at > number) return true;
    if (this.isSettled || number + 1 >= this.routes.length) return false;
    this.at = number + 1;
    return true;
  }
}
