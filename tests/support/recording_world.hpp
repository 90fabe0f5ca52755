#pragma once

#include "tests/support/virtual_swarm.hpp"

#include <set>

/// Real engines that exchange a recording in virtual time.
namespace ppsp::test {

/// A recording in memory; a full disk on demand.
class MemoryBytes final : public peer::RecordingBytes {
public:
    explicit MemoryBytes(ByteVector given = {}) : bytes(std::move(given)) {}

    [[nodiscard]] Bytes read(std::uint64_t offset, std::size_t size) override
    {
        return offset + size <= bytes.size() ? Bytes{bytes}.subspan(offset, size) : Bytes{};
    }
    [[nodiscard]] bool write(std::uint64_t offset, Bytes given) override
    {
        if (offset + given.size() > limit) {
            return false;
        }
        bytes.resize(std::max(bytes.size(), static_cast<std::size_t>(offset) + given.size()));
        std::copy(given.begin(), given.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        return true;
    }
    ByteVector bytes;
    std::uint64_t limit = ~std::uint64_t{0};
};

/// `size` bytes that repeat nowhere.
[[nodiscard]] ByteVector random_content(std::size_t size, std::uint64_t seed = 1);

struct RecordingNode {
    RecordingNode(Endpoint at, peer::NodeConfig const& config, Rng rng,
                  std::unique_ptr<integrity::Hasher> of_swarm)
        : node(at, config, rng), hasher(std::move(of_swarm))
    {}
    VirtualNode node;
    std::unique_ptr<integrity::Hasher> hasher; ///< of the swarm
    MemoryBytes content;
};

class RecordingWorld {
public:
    struct Options {
        wire::HashFunction hash_function = wire::HashFunction::sha256;
        wire::AddressingMode addressing = wire::AddressingMode::chunk32;
        std::uint32_t chunk_size = 1024;
        bool tell_length = true; ///< the link has `length=`
        LinkFaults faults{};
        /// Of the swarm, for each node.
        std::function<std::unique_ptr<integrity::Hasher>(wire::HashFunction)> make_hasher =
            integrity::make_hasher;
        bool together = false; ///< datagrams of one time are handed over as one batch
    };

    RecordingWorld(ByteVector content, Options const& options, std::uint64_t seed = 1);

    RecordingNode& add_seed(peer::NodeConfig config = {});
    RecordingNode& add_leecher(peer::NodeConfig config = {});
    /// `who` hears of all others that were added before it, or of one.
    void introduce(RecordingNode& who);
    void introduce(RecordingNode& who, RecordingNode& to);
    void inject(Endpoint from, RecordingNode& to, ByteVector bytes);
    /// Runs until all living leechers are whole, at most so long; whether they are.
    bool run_until_whole(Duration longest);
    void run_for(Duration time);
    void handle(RecordingNode& node, peer::Input const& input);

    [[nodiscard]] peer::SwarmStatistics figures(RecordingNode const& node) const;
    [[nodiscard]] bool is_whole(RecordingNode const& node) const
    {
        return node.content.bytes == content_;
    }
    [[nodiscard]] peer::SwarmId const& id() const { return config_.id; }
    [[nodiscard]] peer::RecordingConfig const& config() const { return config_; }
    [[nodiscard]] integrity::MerkleTree const& tree() const { return *tree_; }
    [[nodiscard]] ByteVector const& content() const { return content_; }
    [[nodiscard]] TimePoint now() const { return now_; }

    Options options;
    std::vector<std::unique_ptr<RecordingNode>> nodes;
    std::uint64_t flown_bytes = 0; ///< UDP payload that nodes sent
    std::uint64_t flown_datagrams = 0;
    /// May change a datagram on its way, or drop it by returning false.
    std::function<bool(Endpoint from, Endpoint to, ByteVector& bytes)> meddle;
    /// Datagrams to addresses of no node.
    std::function<void(Endpoint from, Endpoint to, Bytes bytes)> stranger;

private:
    struct Flying {
        TimePoint at;
        std::uint64_t number;
        Endpoint from;
        Endpoint to;
        ByteVector bytes;
        friend bool operator>(Flying const& a, Flying const& b)
        {
            return std::pair{a.at, a.number} > std::pair{b.at, b.number};
        }
    };
    RecordingNode& add(peer::NodeConfig config);
    bool step(TimePoint end);
    void drain(RecordingNode& node);
    void send(Endpoint from, Endpoint to, ByteVector bytes);
    RecordingNode* find(Endpoint at);

    ByteVector content_;
    std::shared_ptr<integrity::MerkleTree const> tree_;
    peer::RecordingConfig config_;
    Rng rng_;
    Rng link_rng_;
    TimePoint now_{Duration{1'000'000}};
    std::priority_queue<Flying, std::vector<Flying>, std::greater<>> flying_;
    std::uint64_t next_number_ = 0;
};

} // namespace ppsp::test
