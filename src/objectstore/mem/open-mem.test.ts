import { objectStoreConformance } from "../testing/conformance.ts";
import { openMemObjectStore } from "./open-mem.ts";

objectStoreConformance("mem", async () => openMemObjectStore());
