/* SPDX-License-Identifier: MIT
 *
 * What programs read: valid by the schema, one line each, and as the golden files say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

#include "src/render.h"
#include "tests/unit/samples.h"

static bool type_fits(const char *type, const json_t *value)
{
	if (!strcmp(type, "null"))
		return json_is_null(value);
	if (!strcmp(type, "string"))
		return json_is_string(value);
	if (!strcmp(type, "integer"))
		return json_is_integer(value);
	if (!strcmp(type, "number"))
		return json_is_number(value);
	if (!strcmp(type, "boolean"))
		return json_is_boolean(value);
	if (!strcmp(type, "array"))
		return json_is_array(value);
	cr_assert(eq(str, type, "object"), "a type that this test does not know");
	return json_is_object(value);
}

static void check_type(json_t *schema, json_t *value, const char *where)
{
	json_t *type = json_object_get(schema, "type"), *one, *allowed;
	bool fits = !type;
	size_t i;

	if (json_is_string(type))
		fits = type_fits(json_string_value(type), value);
	json_array_foreach(type, i, one) fits |= type_fits(json_string_value(one), value);
	cr_assert(fits, "%s: type", where);

	allowed = json_object_get(schema, "enum");
	fits = !allowed;
	json_array_foreach(allowed, i, one) fits |= json_equal(one, value);
	cr_assert(fits, "%s: not in the enumeration", where);
	one = json_object_get(schema, "const");
	fits = !one || json_equal(one, value);
	cr_assert(fits, "%s: not the constant", where);
	one = json_object_get(schema, "minimum");
	fits = !one || json_number_value(value) >= json_number_value(one);
	cr_assert(fits, "%s: minimum", where);
	one = json_object_get(schema, "maximum");
	fits = !one || json_number_value(value) <= json_number_value(one);
	cr_assert(fits, "%s: maximum", where);
}

/* {"$ref": "#/$defs/NAME"} */
static json_t *resolve(json_t *root, json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));

	if (!ref)
		return schema;
	cr_assert(eq(int, strncmp(ref, "#/$defs/", 8), 0), "%s", ref);
	json_t *found = json_object_get(json_object_get(root, "$defs"), ref + 8);
	cr_assert(ne(ptr, found, NULL), "%s", ref);
	return found;
}

/* As much of JSON Schema as ours use. */
static void check_schema(json_t *root, json_t *of, json_t *value, const char *where)
{
	json_t *schema = resolve(root, of), *item;
	json_t *properties = json_object_get(schema, "properties");
	const char *key;
	size_t i;

	check_type(schema, value, where);
	json_object_foreach(value, key, item)
	{
		json_t *property = json_object_get(properties, key);

		cr_assert(ne(ptr, property, NULL), "%s.%s is not in the schema", where, key);
		check_schema(root, property, item, key);
	}
	if (json_is_object(value))
		json_array_foreach(json_object_get(schema, "required"), i, item) cr_assert(
			ne(ptr, json_object_get(value, json_string_value(item)), NULL),
			"%s: no %s", where, json_string_value(item));
	json_array_foreach(value, i, item)
		check_schema(root, json_object_get(schema, "items"), item, where);
}

static json_t *load_schema(const char *name)
{
	json_error_t error;
	char path[300];

	snprintf(path, sizeof(path), HP_SOURCE_ROOT "/src/%s.schema.json", name);
	json_t *schema = json_load_file(path, 0, &error);

	cr_assert(ne(ptr, schema, NULL), "%s", error.text);
	return schema;
}

/* One line, valid by the schema, and as the golden file says. */
static void expect_json(const char *name, struct outcome outcome)
{
	json_t *schema = load_schema("report"), *root;
	json_error_t error;
	size_t size;
	char *got;
	FILE *to = open_memstream(&got, &size);

	render_json_outcome(to, &outcome);
	fclose(to);
	cr_assert(eq(ptr, strchr(got, '\n'), got + size - 1), "one line");
	root = json_loads(got, 0, &error);
	cr_assert(ne(ptr, root, NULL), "%s", error.text);
	check_schema(schema, schema, root, "report");
	cr_assert(eq(int, (int)json_integer_value(json_object_get(root, "exit_status")),
		     outcome_exit_status(&outcome)));
	expect_golden(name, got);
	json_decref(root);
	json_decref(schema);
	free(got);
	outcome_fini(&outcome);
}

Test(render_json, outcomes)
{
	expect_json("applied.json", applied());
	expect_json("planned.json", planned());
	expect_json("nothing.json", nothing());
	expect_json("source_error.json", source_error());
	expect_json("refused.json", refused());
	expect_json("failed.json", failed());
	expect_json("recorded.json", recorded());
	expect_json("rolled_back.json", rolled_back());
	expect_json("not_rolled_back.json", not_rolled_back());
	expect_json("nothing_recorded.json", empty(WIRE_COMMAND_STATUS));
	expect_json("forgotten.json", empty(WIRE_COMMAND_FORGET));
}

Test(render_json, outcome_with_bytes_that_are_no_text)
{
	struct outcome outcome = {.pid = 1, .operation = WIRE_COMMAND_ATTACH};

	hp_err_set(&outcome.err, HP_SYSTEM, 0, "a \xff b");
	strcpy(outcome.command, "\xc0\xaf\x01");
	expect_json("bytes.json", outcome);
}

Test(render_json, list_and_doctor)
{
	struct process_info good = good_info(), bad = bad_info();
	struct machine_info machine = bad_machine();
	size_t size;
	char *got, *rest, *line;
	FILE *to = open_memstream(&got, &size);
	static const char *const of[] = {"listed", "listed", "examined", "examined", "machine"};
	json_t *schema = load_schema("process"), *kinds = json_object_get(schema, "$defs");
	int lines = 0;

	render_json_list_entry(to, &good);
	render_json_list_entry(to, &bad);
	render_json_doctor(to, &good);
	render_json_doctor(to, &bad);
	render_json_machine(to, &machine);
	fclose(to);
	expect_golden("processes.json", got);
	for (line = strtok_r(got, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest), lines++) {
		json_t *root = json_loads(line, 0, NULL);
		cr_assert(ne(ptr, root, NULL), "%s", line);
		check_schema(schema, json_object_get(kinds, of[lines]), root, of[lines]);
		json_decref(root);
	}
	json_decref(schema);
	cr_assert(eq(int, lines, 5));
	free(got);
}
