/*
 * driver.c: runs a fuzzer's function over the files that are named, or over standard input, so that
 * its seeds are a plain test with any compiler.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX ((size_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run(FILE *file, const char *name)
{
    /* Exactly as large as the input, so that a sanitizer sees the first byte read beyond it. */
    uint8_t *input = malloc(INPUT_MAX);
    size_t size = input == NULL ? 0 : fread(input, 1, INPUT_MAX, file);
    uint8_t *exact = input == NULL ? NULL : realloc(input, size == 0 ? 1 : size);
    if (exact == NULL || ferror(file)) {
        fprintf(stderr, "%s: cannot be read\n", name);
        free(exact);
        return 1;
    }
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return run(stdin, "standard input");
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rbe");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        int result = run(file, argv[i]);
        fclose(file);
        if (result != 0)
            return result;
    }
    return 0;
}
