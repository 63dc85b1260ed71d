// Shows the OpenAPI document that this server serves. Every text is set as text, never as markup.
"use strict";

const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
};

const resolve = (root, schema) => {
  if (!schema || !schema.$ref) return schema;
  return schema.$ref.slice(2).split("/").reduce((at, part) => at && at[part], root);
};

// A short word for a type: `string (uuid)`, `Page of Person`, `customer | operator | admin`.
const typeOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.oneOf || schema.anyOf) return (schema.oneOf || schema.anyOf).map(typeOf).join(" | ");
  if (schema.allOf) return schema.allOf.map(typeOf).join(" & ");
  const type = [].concat(schema.type || "any").join(" | ");
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  return schema.format ? `${type} (${schema.format})` : type;
};

const fields = (root, schema) => {
  const resolved = resolve(root, schema);
  if (!resolved || !resolved.properties) return undefined;
  const required = new Set(resolved.required || []);
  const rows = Object.entries(resolved.properties).map(([name, field]) =>
    make("tr", {},
      make("td", {}, make("code", {}, name), required.has(name) ? "" : make("span", { class: "quiet" }, " optional")),
      make("td", {}, typeOf(field)),
      make("td", {}, field.description || "")));
  return make("table", {}, make("tbody", {}, ...rows));
};

const content = (root, holder) => Object.entries((holder && holder.content) || {}).map(([kind, media]) =>
  make("div", {}, make("p", { class: "quiet" }, `${kind}: ${typeOf(media.schema)}`), fields(root, media.schema)));

const operation = (root, path, method, described) => {
  const id = `${method}-${path}`.replace(/[^a-z0-9]+/gi, "-");
  const section = make("section", { id },
    make("h3", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), ` ${path}`),
    make("p", {}, described.description || described.summary || ""),
    make("p", { class: "quiet" }, described.security ? "Needs a token." : "Anybody may call this."));
  if (described.parameters && described.parameters.length) {
    const rows = described.parameters.map((parameter) => make("tr", {},
      make("td", {}, make("code", {}, parameter.name), make("span", { class: "quiet" }, ` in ${parameter.in}`)),
      make("td", {}, typeOf(parameter.schema)),
      make("td", {}, parameter.description || "")));
    section.append(make("h4", {}, "Parameters"), make("table", {}, make("tbody", {}, ...rows)));
  }
  if (described.requestBody) section.append(make("h4", {}, "Body"), ...content(root, described.requestBody));
  section.append(make("h4", {}, "Answers"));
  for (const [status, answer] of Object.entries(described.responses || {})) {
    const problem = answer.content && answer.content["application/problem+json"];
    section.append(make("details", status < "300" ? { open: "" } : {},
      make("summary", {}, `${status} ${answer.description || ""}`),
      ...(problem ? [make("p", { class: "quiet" }, "A problem document.")] : content(root, answer))));
  }
  section.dataset.words = `${method} ${path} ${described.description || ""} ${described.summary || ""}`.toLowerCase();
  return [id, section];
};

const show = (root) => {
  document.getElementById("about").textContent = root.info.description;
  const main = document.getElementById("operations");
  const contents = document.getElementById("contents");
  main.replaceChildren();
  const tags = new Map((root.tags || []).map((tag) => [tag.name, { about: tag.description, found: [] }]));
  for (const [path, methods] of Object.entries(root.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const tag = (described.tags || ["other"])[0];
      if (!tags.has(tag)) tags.set(tag, { about: "", found: [] });
      tags.get(tag).found.push([path, method, described]);
    }
  }
  for (const [tag, { about, found }] of tags) {
    if (!found.length) continue;
    const list = make("ul");
    main.append(make("h2", {}, `${tag}: ${about}`));
    for (const [path, method, described] of found) {
      const [id, section] = operation(root, path, method, described);
      main.append(section);
      list.append(make("li", {}, make("a", { href: `#${id}` }, `${method.toUpperCase()} ${path}`)));
    }
    contents.append(make("h4", {}, tag), list);
  }
  document.getElementById("find").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const section of main.querySelectorAll("section")) {
      section.hidden = !words.every((word) => section.dataset.words.includes(word));
    }
  });
};

fetch("/api/v1/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { document.getElementById("operations").textContent = `The document cannot be read: ${error}`; });
