#pragma once

#include "protocol/integrity/hasher.hpp"
#include "protocol/wire/options.hpp"

#include <memory>

namespace ppsp::peer {

/// A hash function of which a second thread hashes ahead what is expected, while the engine's
/// thread is busy with what came with it.
///
/// Neither waits for the other: what the helper has not begun, or not ended, when it is needed is
/// hashed on the spot. So a helper without a core of its own costs a copy of the bytes and a
/// wake-up for each batch, and if it brings nothing it is left alone for a while. One thread calls;
/// it makes the helper at the first batch that is worth one.
class AheadHasher final : public integrity::Hasher {
public:
    /// Chunks that lie ready for the helper, further ones are not its business: a batch of a
    /// socket. With the largest chunks 128 KB.
    static constexpr std::size_t chunks_max = 64;
    /// Larger ones are hashed on the spot; no datagram holds more.
    static constexpr std::size_t chunk_bytes_max = 2048;
    /// Fewer are not worth waking anybody: 5 us, which is as long as five chunks of 1 KiB take.
    static constexpr std::size_t chunks_min = 8;
    /// Batches after which it is judged, and for how many it is left alone if it brought less than
    /// an eighth of their chunks.
    static constexpr std::uint32_t trial_batches = 16;
    static constexpr std::uint32_t rest_batches = 1024;

    explicit AheadHasher(wire::HashFunction function);
    ~AheadHasher() override;
    AheadHasher(AheadHasher const&) = delete;
    AheadHasher& operator=(AheadHasher const&) = delete;

    [[nodiscard]] std::size_t size() const override;
    [[nodiscard]] integrity::Hash digest(Bytes first, Bytes second) override;
    [[nodiscard]] std::size_t ahead_max() const override { return chunks_max; }
    void expect(std::span<Bytes const> chunks) override;

    struct Figures {
        std::uint64_t expected = 0; ///< chunks handed to the helper
        std::uint64_t ahead = 0;    ///< of them, hashed by it when they were needed
        std::uint64_t batches = 0;  ///< handed to it
        std::uint64_t rests = 0;    ///< times that it was left alone
    };
    [[nodiscard]] Figures const& figures() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// With a helper where this process may use more than one core.
[[nodiscard]] std::unique_ptr<integrity::Hasher> make_arrivals_hasher(wire::HashFunction function);

} // namespace ppsp::peer
