// Makes elements. Text is always set as text: nothing here reads markup.

/** An element. Properties: `class`, `on` with listeners, everything else is an attribute; null and false leave it out. */
export function h(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties ?? {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name === "on") {
            for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
        } else if (name === "value") {
            element.value = value;
        } else {
            element.setAttribute(name, value === true ? "" : String(value));
        }
    }
    element.append(...nodes(children));
    return element;
}

/** Children as nodes: strings and numbers become text, null is left out, lists are flattened. */
function nodes(children) {
    return children
        .flat(Infinity)
        .filter((child) => child !== null && child !== undefined && child !== false)
        .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Puts these in the place of what an element has. */
export function fill(element, ...children) {
    element.replaceChildren(...nodes(children));
    return element;
}

let last = 0;

/** A name for an element that another one refers to. */
export function name(prefix) {
    last += 1;
    return `${prefix}-${last}`;
}

/** Rows of terms and what they mean; rows without a value are left out. */
export function terms(...rows) {
    const shown = rows.filter((row) => row && row[1] !== null && row[1] !== undefined && row[1] !== "");
    return h("dl", { class: "terms" }, shown.map(([term, ...values]) => [h("dt", null, term), h("dd", null, values)]));
}

/** A table with a caption. Columns: `{ title, cell(row), number?, short? }`; the first one names its row. */
export function table(caption, columns, rows, empty = "There is none.") {
    if (rows.length === 0) return h("p", { class: "empty" }, empty);
    const kind = (column) => (column.number ? "number" : column.short ? "short" : null);
    const cell = (column, index, row) =>
        index === 0
            ? h("th", { scope: "row", class: kind(column) }, column.cell(row))
            : h("td", { class: kind(column), "data-title": column.title }, column.cell(row));
    return h(
        "table",
        { class: "data" },
        h("caption", { class: "unseen" }, caption),
        h("thead", null, h("tr", null, columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.title)))),
        h("tbody", null, rows.map((row) => h("tr", null, columns.map((column, index) => cell(column, index, row))))),
    );
}
