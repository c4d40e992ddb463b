/** What a program did to one path of its output (contract 3.5). `content` is the suffix when appended. */
export type OutputChange =
  | {
      readonly kind: "append" | "replace";
      readonly path: string;
      readonly bytes: number;
      readonly content: () => AsyncIterable<Uint8Array>;
    }
  | { readonly kind: "mkdir" | "delete"; readonly path: string };
