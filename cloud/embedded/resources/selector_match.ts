import { type JsonObject, objectAt, objectsAt } from "../object.ts";

/** Whether a LabelSelector, as it is written in an object, selects labels; an empty one selects everything. */
export function selects(selector: JsonObject, labels: JsonObject): boolean {
  const equal = Object.entries(objectAt(selector, "matchLabels")).every(([k, v]) => labels[k] === v);
  return equal && objectsAt(selector, "matchExpressions").every(({ key, operator, values }) => {
    const has = Object.hasOwn(labels, String(key));
    const inside = has && Array.isArray(values) && values.includes(labels[String(key)]);
    switch (operator) {
      case "In":
        return inside;
      case "NotIn":
        return !inside;
      case "Exists":
        return has;
      default:
        return !has;
    }
  });
}
