import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CodedError, errorCodes, type ErrorCode } from "../../base/errors.ts";
import { trailersOf } from "./grpc-status.ts";

const anyText = fc.array(fc.nat({ max: 0x10ffff })).map((codes) => String.fromCodePoint(...codes));

const old = "grpc-go/0.11";

function textFor(message: string, agent: string): string {
  return String(trailersOf(new CodedError("not_found", message), agent)["grpc-message"]);
}

describe("trailersOf()", () => {
  it("says UNKNOWN for what a method answers, and its own code for what is said about the call", () => {
    const own: ErrorCode[] = ["unimplemented", "unauthenticated", "deadline_exceeded", "cancelled"];
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      const expected = own.includes(code) ? errorCodes[code].grpc : 2;
      assert.equal(trailersOf(new CodedError(code, "x"), "")["grpc-status"], String(expected));
    }
  });

  it("says the words of the 1.2 series under UNKNOWN where it had any", () => {
    const details = { classic: "DeleteCommit is not implemented" };
    const trailers = trailersOf(new CodedError("unimplemented", "longer", { details }), old);
    assert.deepEqual(trailers, { "grpc-status": "2", "grpc-message": details.classic });
  });

  it("escapes for clients that decode, and not for those of the 1.2 series", () => {
    assert.equal(textFor("100 % of é", "grpc-python/1.0"), "100 %25 of %C3%A9");
    assert.equal(Buffer.from(textFor("100 % of é", old), "latin1").toString(), "100 % of é");
  });

  it("has no control characters for clients of the 1.2 series: they would break the connection", () => {
    assert.equal(textFor("one\ntwo\0three\n", old), "one two three");
  });

  it("has no spaces around it: clients would drop the header", () => {
    for (const agent of [old, "grpc-java/1.0"]) assert.equal(textFor(" x ", agent), "x");
  });

  it("does not say what a failure of ours was", () => {
    const text = trailersOf(new CodedError("internal", "secret path"), old)["grpc-message"];
    assert.ok(!String(text).includes("secret"));
  });

  function requireSendable(text: string): void {
    for (const agent of [old, "grpc-java/1.0"]) {
      const shown = textFor(text, agent);
      assert.ok(shown.length < 6_010);
      // oxlint-disable-next-line no-control-regex
      assert.ok(!/[\x00-\x1f\x7f]/.test(shown));
      assert.ok(agent === old || /^[\x20-\x7e]*$/.test(shown));
    }
  }

  it("is printable whatever the text is", () => {
    fc.assert(fc.property(anyText, requireSendable));
  });

  it("is short: clients refuse long headers", () => {
    requireSendable("é".repeat(70_000));
  });
});
