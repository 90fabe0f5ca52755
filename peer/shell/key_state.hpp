#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/base/result.hpp"

#include <filesystem>
#include <string>

namespace ppsp::peer {

/// What a channel key's broadcasts so far fix for the next one: kept in `KEY.state` beside the key.
struct KeyState {
    /// No chunk at or above this number was ever published.
    ChunkId next{};
    std::uint32_t chunks_per_unit = 0;
    friend bool operator==(KeyState const&, KeyState const&) = default;
};

/// Keeps `KEY.state` ahead of what is published, so that after a crash no chunk number is used
/// twice: two different chunks with one number would look like an attack to every viewer.
class KeyStateFile {
public:
    /// Chunks reserved at a time: 20 s of 5 Mbit/s.
    static constexpr std::uint64_t reserve_chunks = 12'288;
    /// 32-bit chunk numbers end; a broadcast that starts above this would soon be cut off.
    static constexpr std::uint64_t chunk_max = 0xffff'ffff - 16 * reserve_chunks;

    /// Locks the state of `key_file` against other broadcasters and reads it; a missing file is a
    /// new key. The error is a sentence.
    [[nodiscard]] static Result<KeyStateFile, std::string> open(std::filesystem::path key_file);

    KeyStateFile(KeyStateFile&& other) noexcept;
    KeyStateFile& operator=(KeyStateFile&&) = delete;
    KeyStateFile(KeyStateFile const&) = delete;
    KeyStateFile& operator=(KeyStateFile const&) = delete;
    ~KeyStateFile();

    [[nodiscard]] KeyState const& state() const { return state_; }
    /// Before chunks below `next` are published. Writes only when the reserve is used up.
    [[nodiscard]] Result<void, std::string> reserve(ChunkId next, std::uint32_t chunks_per_unit);
    /// At the end: exactly what was published.
    [[nodiscard]] Result<void, std::string> close(ChunkId next, std::uint32_t chunks_per_unit);

private:
    KeyStateFile(std::filesystem::path path, int lock, KeyState state)
        : path_(std::move(path)), lock_(lock), state_(state)
    {}
    [[nodiscard]] Result<void, std::string> write(KeyState const& state);

    std::filesystem::path path_;
    int lock_; ///< descriptor of the key file, locked
    KeyState state_;
};

/// Replaces or creates a file so that readers see the old text or the new one, never a part. The
/// error is a sentence.
[[nodiscard]] Result<void, std::string> write_atomically(std::filesystem::path const& path,
                                                         std::string const& text);

} // namespace ppsp::peer
