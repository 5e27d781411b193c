// A model's text as paragraphs, lists and code. Only what changes how it reads; links stay text, pictures are not fetched.

import { h } from "./dom.js";

/** The text as nodes. */
export function prose(text) {
    const nodes = [];
    const lines = text.replace(/\r\n?/g, "\n").split("\n");
    for (let at = 0; at < lines.length; ) {
        const fence = /^\s*(```+|~~~+)\s*([\w+#.-]*)/.exec(lines[at]);
        const list = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+/.exec(lines[at]);
        if (fence) {
            const end = lines.findIndex((line, index) => index > at && line.trim().startsWith(fence[1]));
            const code = lines.slice(at + 1, end < 0 ? undefined : end).join("\n");
            nodes.push(h("pre", { tabindex: "0", role: "region", "aria-label": fence[2] ? `Code, ${fence[2]}` : "Code" }, h("code", null, code)));
            at = end < 0 ? lines.length : end + 1;
        } else if (list) {
            const items = [];
            const mark = list[1] ? /^\s*\d{1,9}[.)]\s+(.*)/ : /^\s*[-*+]\s+(.*)/;
            for (let item; at < lines.length && (item = mark.exec(lines[at])); at += 1) items.push(h("li", null, inline(item[1])));
            nodes.push(h(list[1] ? "ol" : "ul", list[1] ? { start: list[1] } : null, items));
        } else if (lines[at].trim() === "") {
            at += 1;
        } else {
            const heading = /^#{1,6}\s+(.*)/.exec(lines[at]);
            let end = at + 1;
            if (!heading) while (end < lines.length && isPlain(lines[end])) end += 1;
            nodes.push(heading ? h("p", null, h("strong", null, inline(heading[1]))) : h("p", null, inline(lines.slice(at, end).join("\n"))));
            at = end;
        }
    }
    return nodes;
}

function isPlain(line) {
    return line.trim() !== "" && !/^\s*(```|~~~|[-*+]\s|\d{1,9}[.)]\s|#{1,6}\s)/.test(line);
}

/** Code, strong and emphasised words of one paragraph. */
function inline(text) {
    const parts = text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*|\*[^*\s][^*\n]*\*)/);
    return parts.map((part, index) => {
        if (index % 2 === 0) return part;
        if (part.startsWith("`")) return h("code", null, part.slice(1, -1));
        if (part.startsWith("**")) return h("strong", null, part.slice(2, -2));
        return h("em", null, part.slice(1, -1));
    });
}
