/* Fills the memory of variables and calls main; for the start-up code of each board. */
#ifndef START_H
#define START_H

#include <stdint.h>

int main(void);

/* Bounds of memory from the linker script. */
extern uint32_t stack_top[], data_start[], data_end[], data_in_flash[], bss_start[], bss_end[];

static inline void start(void)
{
    const uint32_t *from = data_in_flash;
    for (uint32_t *to = data_start; to < data_end; to++)
        *(volatile uint32_t *)to = *from++;
    for (uint32_t *to = bss_start; to < bss_end; to++)
        *(volatile uint32_t *)to = 0;
    main();
}

#endif
