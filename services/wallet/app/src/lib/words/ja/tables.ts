import type { Tables } from "../en/tables.ts";

export const tables: Tables = {
  columns: { title: "列の選択", sort: (name) => `${name}で並べる` },
  views: {
    title: "保存した表示",
    all: "すべて",
    keep: "この表示に名前を付ける",
    name: "表示の名前",
    keepDo: "保存",
    remove: (name) => `「${name}」を削除`,
  },
};
