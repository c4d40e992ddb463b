import { CodedError } from "../../base/errors.ts";

/** Lets one caller in at a time, and keeps nobody waiting. */
export class OneAtATime {
  private readonly refusal: string;
  private isTaken = false;

  /** @param refusal what others are told */
  constructor(refusal: string) {
    this.refusal = refusal;
  }

  /**
   * Gives back what lets the next one in, to be called once or more often.
   *
   * @throws CodedError `failed_precondition` while another is inside
   */
  enter(): () => void {
    if (this.isTaken) throw new CodedError("failed_precondition", this.refusal);
    this.isTaken = true;
    let isInside = true;
    return () => {
      if (isInside) this.isTaken = false;
      isInside = false;
    };
  }
}
