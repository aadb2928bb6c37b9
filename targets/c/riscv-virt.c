/* The motor on QEMU's RISC-V machine `virt`. */
#include "motor.h"
#include "start.h"

/* Ticks of the machine's clock in a microsecond. */
enum { CLOCK = 10 };

/* Registers of the CLINT, as pairs of words. */
static volatile uint32_t *const compare = (volatile uint32_t *)0x02004000;
static const volatile uint32_t *const now = (const volatile uint32_t *)0x0200bff8;

static void interrupt_after(uint64_t time)
{
    const uint64_t next = time + CLOCK * MOTOR_TICK;
    compare[1] = UINT32_MAX; /* in this order, it never is a time that has passed */
    compare[0] = (uint32_t)next;
    compare[1] = (uint32_t)(next >> 32);
}

__attribute__((interrupt, aligned(4))) static void on_timer(void)
{
    interrupt_after(compare[0] | (uint64_t)compare[1] << 32);
    motor_on_tick();
}

static void start_timer(void)
{
    uint32_t high, low;
    do {
        high = now[1];
        low = now[0];
    } while (now[1] != high);
    interrupt_after(low | (uint64_t)high << 32);
    __asm__ volatile("csrw mtvec, %0" ::"r"(on_timer));
    __asm__ volatile("csrs mie, %0" ::"r"(1 << 7)); /* the timer's */
    __asm__ volatile("csrsi mstatus, 8");           /* all */
}

static void wait_for_interrupt(void)
{
    __asm__ volatile("wfi");
}

int main(void)
{
    motor_run(start_timer, wait_for_interrupt);
    return 0;
}

__attribute__((used)) static void begin(void)
{
    start();
}

__attribute__((section(".start"), naked, used)) void _start(void)
{
    __asm__ volatile("la sp, stack_top\n\tcall begin");
}
