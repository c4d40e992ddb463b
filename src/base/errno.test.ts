import assert from "node:assert/strict";
import { constants } from "node:os";
import { it } from "node:test";
import { getSystemErrorName } from "node:util";
import { errnoOf, hasErrno } from "./errno.ts";

/** As Node throws it when the operating system gives this number. */
function thrownFor(number: number): Error {
  let code = `Unknown system error ${-number}`;
  try {
    code = getSystemErrorName(-number);
  } catch {
    // Node does not know it.
  }
  return Object.assign(new Error(code), { code, errno: -number });
}

it("errnoOf() knows every error of the operating system, also those that Node does not", () => {
  const same = new Map([
    ["EWOULDBLOCK", "EAGAIN"],
    ["EOPNOTSUPP", "ENOTSUP"],
  ]);
  for (const [name, number] of Object.entries(constants.errno)) {
    const found = errnoOf(thrownFor(number));
    assert.ok([name, same.get(name)].includes(found), `${name}: ${found}`);
  }
  assert.ok(hasErrno(thrownFor(constants.errno.ESTALE), "ESTALE"));
  assert.ok(hasErrno(thrownFor(constants.errno.EDQUOT), "ENOSPC", "EDQUOT"));
});

it("errnoOf() of anything else is empty, or the code it has", () => {
  assert.equal(errnoOf(new Error("no code")), "");
  assert.equal(errnoOf("text"), "");
  assert.equal(errnoOf(Object.assign(new Error("x"), { code: "ABORT_ERR" })), "ABORT_ERR");
});
