/*
 * scrub.h: what secrets leave behind where no free reaches: the stack that returned functions used, and registers.
 *
 * To be called by the function that has just wiped its last secret, before it waits for anything: libraries spill keys and
 * plaintext into their frames, and vector registers keep the last bytes that were copied through them.
 */
#ifndef P11VAULT_BASE_SCRUB_H
#define P11VAULT_BASE_SCRUB_H

/*
 * Overwrites 128 KiB of the stack below the caller, less where the stack has less left, and clears every register that a
 * call may change: the vector registers as wide as this processor has them.  Elsewhere than on x86-64 and AArch64 the stack only.
 */
void scrub_stack_and_registers(void);

#endif
