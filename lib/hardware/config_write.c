/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/config.h"

#include <math.h>
#include <string.h>

#define GIB        1073741824.0
#define VALUE_SIZE 1100

static const ub_hardware_config defaults = {
    .size = sizeof(ub_hardware_config),
    .run_name = "uboost",
    .weight_offset = 10000000,
    .output_offset = 20000000,
    .input_words = 5 << 20,
    .weight_words = 5 << 20,
    .output_words = 5 << 20,
    .bandwidth = 10,
    .read_buffer = 32,
    .write_buffer = 32,
    .memory_banks = 1,
    .chip_banks = 1,
    .chip_bank_ports = 2,
    .input_bank_bandwidth = 10,
    .input_banks = 10,
    .input_bank_ports = 2,
    .weight_bank_bandwidth = 10,
    .weight_banks = 10,
    .weight_bank_ports = 2,
    .sparse_block_size = 8,
    .sparse_seed = 40,
    .sparse_format = 3,
    .level = 1,
    .prefetch = 100,
    .charge_inputs = 1,
    .charge_outputs = 1,
    .batch = 1,
    .seed = 1,
};

void ub_hardware_config_init(ub_hardware_config *config, size_t size)
{
    ub__options_out(config, size, &defaults, sizeof(defaults));
}

void ub__config_init(ub__config *config)
{
    memset(config, 0, sizeof(*config));
    ub_hardware_init(&config->hardware, sizeof(config->hardware));
    config->config = defaults;
}

/* A number that does not depend on the locale. */
static ub_status print_double(double value, char *out)
{
    json_t *number;
    size_t n;

    if (isinf(value)) {
        snprintf(out, VALUE_SIZE, "inf");
        return UB_OK;
    }
    number = json_real(value);
    n = json_dumpb(number, out, VALUE_SIZE - 1,
                   JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(number);
    out[n < VALUE_SIZE ? n : 0] = '\0';
    return n > 0 ? UB_OK : UB_ERR_NOMEM;
}

static int64_t integer_of(const ub__config *c, const ub__config_key *k)
{
    const char *from = (const char *) c + k->offset;

    if (k->type == UB__CONFIG_INT64 || k->type == UB__CONFIG_FIRST)
        return *(const int64_t *) (const void *) from;
    return *(const int32_t *) (const void *) from;
}

static int text_valid(const char *text, size_t size)
{
    size_t n = 0;

    for (; n < size && text[n] != '\0'; n++) {
        if ((unsigned char) text[n] < 0x20 || text[n] == 0x7f)
            return 0;
    }
    return n < size;
}

/* A path, or what a reader would take something off. */
static int needs_quotes(const char *text)
{
    const size_t n = strlen(text);

    return strchr(text, '/') != NULL ||
           (n > 0 && (strchr(" \"'", text[0]) != NULL ||
                      strchr(" \"'", text[n - 1]) != NULL));
}

static ub_status print_value(const ub__config *c, const ub__config_key *k,
                             char *out)
{
    const char *from = (const char *) c + k->offset;
    int64_t number;

    if (k->type == UB__CONFIG_DOUBLE)
        return print_double(*(const double *) (const void *) from, out);
    if (k->type == UB__CONFIG_TEXT) {
        if (!text_valid(from, (size_t) k->high))
            return UB_ERR_INVALID;
        snprintf(out, VALUE_SIZE, needs_quotes(from) ? "\"%s\"" : "%s", from);
        return UB_OK;
    }
    number = integer_of(c, k);
    if (number < k->low || number > k->high)
        return UB_ERR_INVALID;
    if (k->type == UB__CONFIG_CHOICE)
        snprintf(out, VALUE_SIZE, "%s", k->choices[number - k->low]);
    else if (k->type == UB__CONFIG_FLAG && number <= 1)
        snprintf(out, VALUE_SIZE, "%s", number ? "True" : "False");
    else
        snprintf(out, VALUE_SIZE, "%lld", (long long) number);
    return UB_OK;
}

static ub_status put_text(ub__writer *file, const char *text)
{
    return ub__writer_put(file, text, strlen(text));
}

static ub_status put_key(ub__writer *file, const ub__config *c, int i)
{
    const ub__config_key *k = &ub__config_keys[i];
    char value[VALUE_SIZE];
    ub_status status = UB_OK;

    if (i == 0 || strcmp(k->section, ub__config_keys[i - 1].section) != 0) {
        snprintf(value, sizeof(value), "%s[%s]\n", i == 0 ? "" : "\n",
                 k->section);
        status = put_text(file, value);
    }
    if (status == UB_OK)
        status = put_text(file, k->key);
    if (status == UB_OK)
        status = put_text(file, " = ");
    if (status == UB_OK)
        status = print_value(c, k, value);
    if (status == UB_OK)
        status = put_text(file, value);
    return status == UB_OK ? put_text(file, "\n") : status;
}

static int64_t whole_kb(const ub_hardware *h, int64_t bytes)
{
    const int64_t kb = ub__or_else(bytes, h->bank_bytes) /
                       (1024 * h->element_bytes);

    return kb > 0 ? kb : 1;
}

static ub_status collect(const ub_hardware *hardware,
                         const ub_hardware_config *config, ub__config *c)
{
    ub_hardware *h = &c->hardware;
    ub_status status;

    ub__config_init(c);
    status = ub__options_in(NULL, "configuration", &c->config,
                            sizeof(c->config), sizeof(c->config), config);
    if (status == UB_OK)
        status = ub__hardware_in(hardware, h);
    if (status != UB_OK)
        return status;
    c->input_kb = whole_kb(h, h->input_bank_bytes);
    c->weight_kb = whole_kb(h, h->weight_bank_bytes);
    c->output_kb = whole_kb(h, h->output_bank_bytes);
    h->bandwidth /= GIB;
    h->input_bandwidth /= GIB;
    h->weight_bandwidth /= GIB;
    h->output_bandwidth /= GIB;
    return UB_OK;
}

ub_status ub_hardware_write_config(ub_context *context, const char *path,
                                   const ub_hardware *hardware,
                                   const ub_hardware_config *config)
{
    ub__config c;
    ub__writer *file;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = path == NULL ? UB_ERR_INVALID : collect(hardware, config, &c);
    if (status != UB_OK)
        return ub__fail(context, status,
                        "hardware: no path to write, or no hardware or "
                        "configuration that makes sense");
    status = ub__writer_open(context, path, &file);
    if (status != UB_OK)
        return status;
    for (int i = 0; i < ub__config_n_keys && status == UB_OK; i++) {
        status = put_key(file, &c, i);
        if (status == UB_ERR_INVALID)
            status = ub__fail(context, status,
                              "hardware: '%s' of the configuration makes no "
                              "sense",
                              ub__config_keys[i].key);
        else if (status == UB_ERR_NOMEM)
            status = ub__fail(context, status, "hardware: out of memory");
    }
    if (status == UB_OK)
        return ub__writer_commit(&file);
    ub__writer_abort(&file);
    return status;
}
