/**
 * Of worker threads, whose results go elsewhere at once: more room for young objects would only be
 * filled. The main thread, where objects of many requests live at the same time, has twice as much (`bin/`).
 */
export const smallYoungHeap = { maxYoungGenerationSizeMb: 12 } as const;
