"use strict";
// Draws /openapi.json. Whatever stands in it is text, and never becomes markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function named(reference) {
  return reference.split("/").pop();
}

// A schema in a few words; those that have names are followed a few steps.
function shape(schema, all, depth) {
  if (!schema) return "anything";
  if (schema.$ref) {
    const name = named(schema.$ref);
    return depth > 3 ? name : shape(all[name], all, depth + 1);
  }
  const some = schema.oneOf || schema.anyOf;
  if (some) return some.filter((it) => it.type !== "null").map((it) => shape(it, all, depth)).join(" or ");
  if (schema.allOf) return schema.allOf.map((it) => shape(it, all, depth)).join(" and ");
  if (schema.enum) return schema.enum.map((it) => JSON.stringify(it)).join(" | ");
  const type = Array.isArray(schema.type) ? schema.type.find((it) => it !== "null") : schema.type;
  if (type === "array") return "[" + shape(schema.items, all, depth) + "]";
  if (type === "object" || schema.properties) {
    const needed = schema.required || [];
    const pad = "  ".repeat(depth + 1);
    const lines = Object.entries(schema.properties || {}).map(([key, value]) =>
      pad + key + (needed.includes(key) ? "" : "?") + ": " + shape(value, all, depth + 1));
    return lines.length ? "{\n" + lines.join("\n") + "\n" + "  ".repeat(depth) + "}" : "object";
  }
  return type || "anything";
}

function table(parameters) {
  const made = element("table");
  for (const it of parameters) {
    const row = element("tr");
    const cell = element("td");
    cell.append(element("code", it.name));
    row.append(cell, element("td", it.in + (it.required ? ", needed" : "")), element("td", it.description || ""));
    made.append(row);
  }
  return made;
}

function operation(path, method, said, all) {
  const made = element("details");
  const head = element("summary");
  head.append(element("span", method.toUpperCase(), "method"), element("code", path));
  made.append(head, element("p", [said.summary, said.description].filter(Boolean).join(" ")));
  if (said.parameters && said.parameters.length) made.append(table(said.parameters));
  const body = said.requestBody && Object.values(said.requestBody.content || {})[0];
  if (body) made.append(element("p", "You send:", "says"), element("pre", shape(body.schema, all, 0)));
  for (const [status, answer] of Object.entries(said.responses || {})) {
    const what = Object.entries(answer.content || {})[0];
    made.append(element("p", "Answer " + status + (what ? ", " + what[0] : "") +
      (answer.description ? ": " + answer.description : ""), "says"));
    if (what && !status.startsWith("4")) made.append(element("pre", shape(what[1].schema, all, 0)));
  }
  made.dataset.text = [path, method, said.summary, said.operationId].join(" ").toLowerCase();
  return made;
}

function draw(document_) {
  const all = (document_.components && document_.components.schemas) || {};
  const groups = new Map();
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const method of METHODS.filter((it) => item[it])) {
      const tag = (item[method].tags && item[method].tags[0]) || "server";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(path, method, item[method], all));
    }
  }
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const [tag, operations] of groups) {
    const group = element("section");
    group.append(element("h2", tag), ...operations);
    main.append(group);
  }
}

function look(words) {
  for (const group of document.querySelectorAll("section")) {
    let seen = 0;
    for (const it of group.querySelectorAll("details")) {
      it.hidden = !words.every((word) => it.dataset.text.includes(word));
      seen += it.hidden ? 0 : 1;
    }
    group.hidden = seen === 0;
  }
}

document.getElementById("search").addEventListener("input", (event) => {
  look(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
});

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(draw)
  .catch((why) => { document.getElementById("operations").textContent = "It cannot be read: " + why; });
