import type { SchemaData } from "./schema.ts";

/**
 * Types of apiextensions.k8s.io/v1. A field that takes a schema or something else is not looked into here.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/v1/types.go @ v1.33
 */
export const APIEXTENSIONS_SCHEMA: SchemaData = {
  "apiextensions.v1.CustomResourceColumnDefinition": {
    "fields": {
      "description": "string",
      "format": "string",
      "jsonPath": "string",
      "name": "string",
      "priority": "int32",
      "type": "string",
    },
    "required": ["name", "type", "jsonPath"],
  },
  "apiextensions.v1.CustomResourceConversion": {
    "fields": { "strategy": "string", "webhook": "@apiextensions.v1.WebhookConversion" },
    "required": ["strategy"],
  },
  "apiextensions.v1.CustomResourceDefinition": {
    "zeros": { "metadata": {}, "spec": {}, "status": {} },
    "fields": {
      "apiVersion": "string",
      "kind": "string",
      "metadata": "@meta.v1.ObjectMeta",
      "spec": "@apiextensions.v1.CustomResourceDefinitionSpec",
      "status": "@apiextensions.v1.CustomResourceDefinitionStatus",
    },
    "required": ["spec"],
  },
  "apiextensions.v1.CustomResourceDefinitionCondition": {
    "fields": {
      "lastTransitionTime": "time",
      "message": "string",
      "reason": "string",
      "status": "string",
      "type": "string",
    },
    "required": ["type", "status"],
  },
  "apiextensions.v1.CustomResourceDefinitionNames": {
    "zeros": { "plural": "", "kind": "" },
    "fields": {
      "categories": { "list": "string" },
      "kind": "string",
      "listKind": "string",
      "plural": "string",
      "shortNames": { "list": "string" },
      "singular": "string",
    },
    "required": ["plural", "kind"],
  },
  "apiextensions.v1.CustomResourceDefinitionSpec": {
    "zeros": { "group": "", "names": {}, "scope": "", "versions": null },
    "fields": {
      "conversion": "@apiextensions.v1.CustomResourceConversion",
      "group": "string",
      "names": "@apiextensions.v1.CustomResourceDefinitionNames",
      "preserveUnknownFields": "boolean",
      "scope": "string",
      "versions": { "list": "@apiextensions.v1.CustomResourceDefinitionVersion" },
    },
    "required": ["group", "names", "scope", "versions"],
  },
  "apiextensions.v1.CustomResourceDefinitionStatus": {
    "zeros": { "conditions": null, "acceptedNames": {}, "storedVersions": null },
    "fields": {
      "acceptedNames": "@apiextensions.v1.CustomResourceDefinitionNames",
      "conditions": {
        "list": "@apiextensions.v1.CustomResourceDefinitionCondition",
        "kind": "map",
        "keys": ["type"],
      },
      "storedVersions": { "list": "string" },
    },
  },
  "apiextensions.v1.CustomResourceDefinitionVersion": {
    "fields": {
      "additionalPrinterColumns": { "list": "@apiextensions.v1.CustomResourceColumnDefinition" },
      "deprecated": "boolean",
      "deprecationWarning": "string",
      "name": "string",
      "schema": "@apiextensions.v1.CustomResourceValidation",
      "selectableFields": { "list": "@apiextensions.v1.SelectableField" },
      "served": "boolean",
      "storage": "boolean",
      "subresources": "@apiextensions.v1.CustomResourceSubresources",
    },
    "required": ["name", "served", "storage"],
  },
  "apiextensions.v1.CustomResourceSubresourceScale": {
    "fields": { "labelSelectorPath": "string", "specReplicasPath": "string", "statusReplicasPath": "string" },
    "required": ["specReplicasPath", "statusReplicasPath"],
  },
  "apiextensions.v1.CustomResourceSubresourceStatus": { "fields": {} },
  "apiextensions.v1.CustomResourceSubresources": {
    "fields": {
      "scale": "@apiextensions.v1.CustomResourceSubresourceScale",
      "status": "@apiextensions.v1.CustomResourceSubresourceStatus",
    },
  },
  "apiextensions.v1.CustomResourceValidation": {
    "fields": { "openAPIV3Schema": "@apiextensions.v1.JSONSchemaProps" },
  },
  "apiextensions.v1.ExternalDocumentation": { "fields": { "description": "string", "url": "string" } },
  "apiextensions.v1.JSONSchemaProps": {
    "fields": {
      "$ref": "string",
      "$schema": "string",
      "additionalItems": "object",
      "additionalProperties": "object",
      "allOf": { "list": "@apiextensions.v1.JSONSchemaProps" },
      "anyOf": { "list": "@apiextensions.v1.JSONSchemaProps" },
      "default": "object",
      "definitions": { "map": "@apiextensions.v1.JSONSchemaProps" },
      "dependencies": { "map": "object" },
      "description": "string",
      "enum": { "list": "object" },
      "example": "object",
      "exclusiveMaximum": "boolean",
      "exclusiveMinimum": "boolean",
      "externalDocs": "@apiextensions.v1.ExternalDocumentation",
      "format": "string",
      "id": "string",
      "items": "object",
      "maxItems": "int64",
      "maxLength": "int64",
      "maxProperties": "int64",
      "maximum": "number",
      "minItems": "int64",
      "minLength": "int64",
      "minProperties": "int64",
      "minimum": "number",
      "multipleOf": "number",
      "not": "@apiextensions.v1.JSONSchemaProps",
      "nullable": "boolean",
      "oneOf": { "list": "@apiextensions.v1.JSONSchemaProps" },
      "pattern": "string",
      "patternProperties": { "map": "@apiextensions.v1.JSONSchemaProps" },
      "properties": { "map": "@apiextensions.v1.JSONSchemaProps" },
      "required": { "list": "string" },
      "title": "string",
      "type": "string",
      "uniqueItems": "boolean",
      "x-kubernetes-embedded-resource": "boolean",
      "x-kubernetes-int-or-string": "boolean",
      "x-kubernetes-list-map-keys": { "list": "string" },
      "x-kubernetes-list-type": "string",
      "x-kubernetes-map-type": "string",
      "x-kubernetes-preserve-unknown-fields": "boolean",
      "x-kubernetes-validations": {
        "list": "@apiextensions.v1.ValidationRule",
        "kind": "map",
        "keys": ["rule"],
        "patch": "merge",
        "mergeKey": "rule",
      },
    },
  },
  "apiextensions.v1.SelectableField": { "fields": { "jsonPath": "string" }, "required": ["jsonPath"] },
  "apiextensions.v1.ServiceReference": {
    "fields": { "name": "string", "namespace": "string", "path": "string", "port": "int32" },
    "required": ["namespace", "name"],
  },
  "apiextensions.v1.ValidationRule": {
    "fields": {
      "fieldPath": "string",
      "message": "string",
      "messageExpression": "string",
      "optionalOldSelf": "boolean",
      "reason": "string",
      "rule": "string",
    },
    "required": ["rule"],
  },
  "apiextensions.v1.WebhookClientConfig": {
    "fields": { "caBundle": "bytes", "service": "@apiextensions.v1.ServiceReference", "url": "string" },
  },
  "apiextensions.v1.WebhookConversion": {
    "fields": {
      "clientConfig": "@apiextensions.v1.WebhookClientConfig",
      "conversionReviewVersions": { "list": "string" },
    },
    "required": ["conversionReviewVersions"],
  },
};
