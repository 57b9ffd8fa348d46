/* The bytes of embedded.gguf, as read-only data, aligned as gguf_open_memory wants them. */
    .section .rodata
    .balign 64
    .globl shoal_embedded_gguf
    .hidden shoal_embedded_gguf
    .type shoal_embedded_gguf, @object
shoal_embedded_gguf:
    .incbin "embedded.gguf"
shoal_embedded_gguf_end:
    .size shoal_embedded_gguf, shoal_embedded_gguf_end - shoal_embedded_gguf
    .balign 8
    .globl shoal_embedded_gguf_bytes
    .hidden shoal_embedded_gguf_bytes
    .type shoal_embedded_gguf_bytes, @object
shoal_embedded_gguf_bytes:
    .quad shoal_embedded_gguf_end - shoal_embedded_gguf
    .size shoal_embedded_gguf_bytes, 8
    .section .note.GNU-stack, "", @progbits
