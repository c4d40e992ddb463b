import { openView, type ViewSpec } from "../pfs/index.ts";
import type { ViewRef } from "../model/claimed-task.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Views of finished commits never change; one that folds many deltas is worth keeping. */
const viewsMax = 8;

type View = Awaited<ReturnType<typeof openView>>;

/** The views that workers read, the latest of them kept open. */
export class RecentViews {
  private readonly pps: PpsDeps;
  private readonly views = new Map<string, Promise<View>>();

  constructor(pps: PpsDeps) {
    this.pps = pps;
  }

  /** The view of a token, opened when it was not used lately. */
  async open({ token }: Pick<ViewRef, "token">): Promise<View> {
    const { top, ...spec } = JSON.parse(token) as ViewSpec;
    // Of an input with a task for each entry, all tasks share what is costly to open.
    const whole = await this.openWhole(JSON.stringify(spec));
    return top === undefined ? whole : whole.only(top);
  }

  private async openWhole(token: string): Promise<View> {
    const known = this.views.get(token);
    const view = known ?? openView(this.pps.pfs, JSON.parse(token) as ViewSpec);
    this.views.delete(token);
    this.views.set(token, view);
    for (const oldest of this.views.keys()) {
      if (this.views.size <= viewsMax) break;
      this.views.delete(oldest);
    }
    try {
      return await view;
    } catch (error) {
      this.views.delete(token);
      throw error;
    }
  }

  /** What a worker is given to name a view. */
  async refOf(spec: ViewSpec): Promise<ViewRef> {
    const token = JSON.stringify(spec);
    const view = await this.open({ token });
    return { digest: view.digest, token };
  }
}
