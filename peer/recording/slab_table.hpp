#pragma once

#include "peer/policy/upload_slots.hpp"
#include "protocol/base/range_set.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"

#include <map>
#include <optional>
#include <vector>

namespace ppsp::peer {

/// Which part of a recording to ask of whom. A recording is cut into slabs, whole subtrees of the
/// Merkle tree, so that the hashes above one are sent once; a slab is asked of one neighbour.
/// Those that a player waits for go first, in order; the others so that neighbours get to hold
/// different ones: a rare slab before a common one, and the next one in the file among equals.
class SlabTable {
public:
    /// Chunks of a slab: 64 KiB at 1 024 B. Smaller ones would be passed on sooner and cost more
    /// hashes: one path from the root each.
    static constexpr std::uint64_t slab_chunks = 64;
    /// A player's next slabs that go before all others: 4 MiB at 1 024 B.
    static constexpr std::uint64_t urgent_slabs = 64;

    explicit SlabTable(Rng rng) : rng_(rng) {}

    /// How many chunks there are; a smaller number than before is allowed (RFC 7574 §5.6: the
    /// first peaks may have claimed too much).
    void set_chunk_count(std::uint64_t count);
    [[nodiscard]] bool knows_size() const { return chunk_count_ > 0; }
    /// A player waits for this chunk and what follows; nullopt = nobody waits.
    void play_from(std::optional<ChunkId> chunk) { play_from_ = chunk; }

    /// The next slab for a neighbour that holds `has`: one that is not whole and not asked of
    /// anybody; nullopt if it has none. `last` is what it was asked before, if the file may be
    /// followed from there: among several who fetch it would lead them along the same way.
    [[nodiscard]] std::optional<std::uint64_t> next(RangeSet const& have, RangeSet const& has,
                                                    std::optional<std::uint64_t> last);
    enum class Share : std::uint8_t { any, urgent }; ///< urgent: a player waits for it
    /// At the end, when nothing is left that was not asked: a slab that others were asked for
    /// before `before` and that this neighbour, who is idle, can bring as well.
    [[nodiscard]] std::optional<std::uint64_t> next_shared(RangeSet const& have,
                                                           RangeSet const& has, PeerKey peer,
                                                           TimePoint before, Share which) const;
    void on_asked(TimePoint now, std::uint64_t slab, PeerKey peer);
    /// A chunk of the slab came from the neighbour.
    void on_progress(TimePoint now, std::uint64_t slab, PeerKey peer);
    /// Nobody is asked for the slab any more, it is whole; whom it was asked of besides `from`.
    [[nodiscard]] std::vector<PeerKey> on_whole(std::uint64_t slab);
    /// The neighbour is not asked for the slab any more.
    void release(std::uint64_t slab, PeerKey peer);
    void release_all(PeerKey peer);
    /// Slabs asked of this neighbour that made no progress since `before`.
    [[nodiscard]] std::vector<std::uint64_t> stalled(PeerKey peer, TimePoint before) const;

    /// A neighbour told that it holds these, or is gone; counted by the first chunk of each slab to
    /// know which are rare.
    void on_have(ChunkRange chunks) { count(chunks, 1); }
    void on_gone(ChunkRange chunks) { count(chunks, -1); }

    [[nodiscard]] static std::uint64_t slab_of(ChunkId chunk)
    {
        return to_number(chunk) / slab_chunks;
    }
    /// Cut at the end of the content.
    [[nodiscard]] ChunkRange chunks(std::uint64_t slab) const;
    [[nodiscard]] std::uint64_t slab_count() const
    {
        return (chunk_count_ + slab_chunks - 1) / slab_chunks;
    }

private:
    struct Asked {
        PeerKey peer;
        TimePoint progress;
    };
    [[nodiscard]] bool can_ask(RangeSet const& have, RangeSet const& has, std::uint64_t slab) const;
    [[nodiscard]] bool is_urgent(std::uint64_t slab) const;
    [[nodiscard]] std::optional<std::uint64_t> next_for_player(RangeSet const& have,
                                                               RangeSet const& has) const;
    [[nodiscard]] std::optional<std::uint64_t> next_in_order(RangeSet const& have,
                                                             RangeSet const& has) const;

    void count(ChunkRange chunks, int step);

    Rng rng_;
    std::uint64_t chunk_count_ = 0;
    std::optional<ChunkId> play_from_;
    std::multimap<std::uint64_t, Asked> asked_;
    std::vector<int> holders_; ///< by slab
};

} // namespace ppsp::peer
