#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>

/// Replaces `operator new` of the whole program by one that counts; for one file of it.
namespace ppsp::test {

inline bool is_counting = false;
inline std::uint64_t allocations = 0; ///< while something was counted

inline void* allocate(std::size_t size)
{
    allocations += is_counting ? 1 : 0;
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        throw std::bad_alloc{};
    }
    return memory;
}

/// What this does is counted.
template <typename Work>
void counted(Work work)
{
    is_counting = true;
    work();
    is_counting = false;
}

} // namespace ppsp::test

// Not inline: g++ would take the one for a mismatch of the other.

[[gnu::noinline]] void* operator new(std::size_t size)
{
    return ppsp::test::allocate(size);
}
[[gnu::noinline]] void* operator new[](std::size_t size)
{
    return ppsp::test::allocate(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept
{
    std::free(memory);
}
