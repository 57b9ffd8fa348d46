/* check_exposition FILE [SAMPLE]: exit code 0 when the file is Prometheus text; prints the sample's
 * value. */
#include "observe/exposition.h"

#include <math.h>
#include <stdio.h>

int main(int argc, char *argv[])
{
    static char text[1 << 20];
    char why[EXPOSITION_WHY_BYTES];
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;

    if (!file) {
        fputs("no file\n", stderr);
        return 1;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    if (!exposition_check(text, why)) {
        fprintf(stderr, "%s: %s\n", argv[1], why);
        return 1;
    }
    if (argc > 2) {
        const double x = exposition_value(text, argv[2]);
        printf("%.9g\n", x);
        return isnan(x) ? 1 : 0;
    }
    return 0;
}
