import assert from "node:assert/strict";
import { it } from "node:test";
import { shownUrl } from "./shown-url.ts";

it("shownUrl() leaves out what may be secret", () => {
  const shown: Record<string, string> = {
    "http://host:80/a%20b?X-Amz-Signature=secret": "http://host:80/a%20b",
    "http://user:secret@host/a#secret": "http://host/a",
    "http://user:12/secret@host": "http:…",
    "http://user:sec@ret/secret@host/a": "http:…",
    "https://12:34/secret@host/a?b": "https:…",
    "http://host/a@b": "http://host/a@b",
    "s3://AKID:secret@bucket/key": "s3://bucket/key",
    "s3://AKID:sec/ret@bucket/key": "s3:…",
    "AKID:secret@bucket": "AKID:…",
    "secret@host": "…",
    "file:///a?secret": "file:///a",
    "/plain": "/plain",
  };
  for (const [url, text] of Object.entries(shown)) assert.equal(shownUrl(url), text);
});
