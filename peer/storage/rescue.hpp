#pragma once

#include "peer/content/live_store.hpp"
#include "peer/content/unit_grid.hpp"
#include "peer/engine/io.hpp"
#include "peer/policy/picker.hpp"
#include "peer/storage/object_map.hpp"
#include "peer/storage/storage_health.hpp"
#include "protocol/base/rng.hpp"

#include <map>
#include <utility>

namespace ppsp::peer {

struct RescueConfig {
    /// The index is read again that often, by turns from servers of the nearest tier and cost: it
    /// tells which of them live and how far they are. Random within [1, 1.5] x this.
    Duration index_gap = std::chrono::seconds{30};
    /// When the map proved wrong, and twice as long up to three times while that helps nothing.
    Duration index_retry = std::chrono::seconds{1};
    /// While another such server never answered: random within [1, 1.5] x this.
    Duration index_gap_first = std::chrono::seconds{1};
    /// Behind the time that nearly all answers keep: timers and the way to the output.
    Duration margin = std::chrono::milliseconds{40};
    /// Up to that share of the time needed a unit is asked for earlier, at random: viewers that
    /// lose the same peer do not ask in the same moment.
    double jitter = 0.25;
    /// When a unit is asked for, the next ones are asked for with it that would follow so soon.
    Duration together = std::chrono::milliseconds{60};
    /// The first guess how long after its last unit an object is with the server, and its bounds. A
    /// miss adds `publish_step`, a hit takes a tenth of it.
    Duration publish_lag = std::chrono::milliseconds{150};
    Duration publish_lag_min = std::chrono::milliseconds{20};
    Duration publish_lag_max = std::chrono::seconds{2};
    Duration publish_step = std::chrono::milliseconds{50};
    /// An object that is not there yet is asked for again after this, twice as long every time.
    Duration missing_retry = std::chrono::milliseconds{60};
    Duration missing_retry_max = std::chrono::seconds{2};
    /// The same while neighbours are connected: if they announce nothing, nothing was made.
    Duration missing_retry_max_among = std::chrono::seconds{6};
    /// Then the index is read: it was foretold wrongly.
    unsigned misses_max = 3;
    /// A joiner asks CDN servers only if no neighbour was found by then: caches cost less.
    Duration cdn_patience = std::chrono::milliseconds{400};
    /// A joiner begins at the newest random access point that is not older than that, else so far
    /// back.
    Duration random_access_age_max = std::chrono::seconds{4};
    Duration tune_in_back = std::chrono::milliseconds{1200};
    /// What may be under way: the first seconds of a joiner in parallel.
    std::size_t fetches_max = 12;
    /// Bytes that are asked for, in units of the stream's own rate, and how many seconds of that at
    /// once. Whatever goes wrong, a viewer is no heavier on storage than this.
    double budget_rate = 1.5;
    double budget_burst_s = 6;
    /// What a request costs beside the bytes of its answer.
    std::size_t request_bytes = 500;
    Duration timeout_min = std::chrono::milliseconds{400};
    Duration timeout_max = std::chrono::seconds{3};
    /// An object is taken whole if that share of it is missing and wanted.
    double whole_share = 0.5;
    /// While storage stands behind the peers the latency target stays above what an object needs to
    /// be made, found and fetched, but below this.
    Duration latency_floor_max = std::chrono::seconds{2};
};

/// Gets units that peers do not bring in time from caches, and from CDN servers after them (design
/// §5.5): a unit is asked for when the time until it is due is what a fetch needs, at once while
/// there are no peers, and what a joiner needs for its first picture as well. Believes nobody:
/// whoever sends what the channel's key did not sign is left alone.
class Rescue {
public:
    static constexpr std::size_t servers_max = 32; ///< as many as a link names

    /// What is to be known of the swarm.
    struct Situation {
        PickerView const* units = nullptr; ///< null until the first unit was seen
        LiveStore const* store = nullptr;
        bool playing = false;
        bool alone = false;          ///< no neighbour brings anything
        bool peers_expected = true;  ///< some may be found, or are there
        bool has_neighbours = false; ///< somebody is connected
        Duration unit_duration{};
        Duration latency{}; ///< of the playout
    };
    struct FoundUnit {
        ChunkRange chunks;
        integrity::UnitTree tree;
        NtpTime signed_at{};
        Bytes signature; ///< verified
        Bytes payload;
        StorageTier tier{};
        std::size_t server = 0;
        TimePoint asked{};
    };
    /// Chunks of a unit whose munro is known; what they are is not verified.
    struct FoundChunks {
        UnitIndex unit = 0;
        ChunkId first{};
        Bytes payload;
        StorageTier tier{};
        std::size_t server = 0;
        TimePoint asked{};
    };
    struct Tools {
        integrity::Hasher& hasher;
        integrity::Checker& checker;
        UnixMicros utc = 0;
        bool tuning_in = false; ///< an old index says nothing about where the stream is
    };

    Rescue(RescueConfig const& config, LiveSwarmConfig const& swarm, TimePoint joined, Rng rng);

    /// What to fetch now.
    void plan(TimePoint now, Situation const& situation, std::vector<FetchWanted>& fetches);
    /// Reads an answer; `take` gets a FoundUnit for each unit that came whole and verified, or
    /// FoundChunks. Their bytes are valid during its call.
    template <typename Take>
    void on_finished(TimePoint now, FetchFinished const& finished, Tools const& tools, Take&& take)
    {
        digest(now, finished, tools);
        for (auto const& unit : found_) {
            take(unit);
        }
        if (chunks_) {
            take(*chunks_);
        }
        credit();
        found_.clear();
        chunks_.reset();
        kept_.clear();
    }
    /// A unit is not what it was signed to be: another one with its number was, or its chunks do
    /// not give the munro.
    void on_wrong(TimePoint now, UnitIndex unit, std::size_t server, TimePoint asked);
    /// A unit is too old, or its time does not fit its place: nobody's lie, but of no use.
    void on_useless(TimePoint now, UnitIndex unit, std::size_t server, TimePoint asked);
    /// Newest unit that an index or an answer showed; nullopt before that.
    [[nodiscard]] std::optional<UnitIndex> newest() const
    {
        return map_.empty() ? std::nullopt : std::optional(map_.newest());
    }
    /// When a unit was signed, or what follows it if it was lost, as far as an index tells.
    [[nodiscard]] std::optional<UnixMicros> signed_at(UnitIndex unit) const
    {
        return map_.signed_at(unit);
    }
    /// Units that are fetched since the last call, and those that did not come by it.
    [[nodiscard]] std::vector<UnitIndex> take_begun() { return std::exchange(begun_, {}); }
    [[nodiscard]] std::vector<UnitIndex> take_failed() { return std::exchange(failed_, {}); }

    [[nodiscard]] TimePoint deadline() const { return next_look_; }
    /// Where a joiner begins, from the newest index.
    [[nodiscard]] std::optional<ChunkId> random_access() const { return map_.random_access(); }
    /// Latency below which storage comes too late; zero while nothing is known.
    [[nodiscard]] Duration latency_floor(Duration unit_duration) const;

private:
    enum class Kind : std::uint8_t {
        index,
        records, ///< of some units of an object: what is in its head
        whole,   ///< object
        part,    ///< some units of an object, to be proven by their records
        chunks,  ///< of one unit whose munro is known
    };
    struct Fetch {
        Kind kind{};
        std::size_t server = 0;
        TimePoint began{};
        std::size_t bytes = 0; ///< expected
        UnitIndex object = 0;  ///< its first unit
        UnitIndex first = 0;   ///< units asked for
        UnitIndex last = 0;
        UnitIndex record = 0;     ///< unit of the first record asked for
        std::uint64_t offset = 0; ///< of the bytes asked for
        std::uint32_t units = 0;  ///< of the object
        ChunkId chunk{};          ///< first one asked for, of a unit whose munro is known
        TimePoint expires{};      ///< the shell has answered by then
    };
    struct Attempt {
        TimePoint again{}; ///< not asked before
        unsigned misses = 0;
        bool is_ours = false; ///< peers are not asked meanwhile
    };
    /// Bytes of units that wait for their records.
    struct Part {
        UnitIndex object = 0;
        std::uint32_t units = 0; ///< of the object
        std::uint64_t offset = 0;
        ByteVector bytes;
        std::size_t server = 0;
        TimePoint asked{};
    };

    void digest(TimePoint now, FetchFinished const& finished, Tools const& tools);
    void on_index(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools);
    void on_missing(TimePoint now, Fetch const& fetch);
    void on_records(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools);
    [[nodiscard]] bool keep_records(MappedObject& object, Fetch const& fetch, Bytes records);
    [[nodiscard]] bool plan_records(TimePoint now, Situation const& situation, Fetch fetch,
                                    MappedObject const& object,
                                    std::vector<UnitIndex> const& unproven,
                                    std::vector<FetchWanted>& fetches);
    [[nodiscard]] bool records_come(MappedObject const& object, UnitIndex unit) const;
    void on_whole(TimePoint now, Fetch const& fetch, Bytes body, Tools const& tools);
    void on_chunks(TimePoint now, Fetch const& fetch, Bytes body);
    void settle(Fetch const& fetch, FetchFinished const& finished);
    void expire(TimePoint now);
    void drop_parts(TimePoint now, UnitIndex object);
    [[nodiscard]] MappedObject* object_of(UnitIndex first, std::uint32_t units);
    void on_part(TimePoint now, Part part, Tools const& tools);
    [[nodiscard]] bool find_units(decade::ObjectHead const& head, Bytes bytes, std::uint64_t offset,
                                  Fetch const& fetch, Tools const& tools);
    void read_part(TimePoint now, MappedObject& object, Part const& part, Tools const& tools);
    [[nodiscard]] bool is_head_of(decade::ObjectHead const& head, MappedObject const& object) const;
    void give_back(UnitIndex unit);
    void fail(TimePoint now, std::size_t server, TimePoint asked);
    void call_others(TimePoint now, std::size_t gone);
    void credit();
    void lie(TimePoint now, Fetch const& fetch);
    void retry(TimePoint at, Fetch const& fetch);
    [[nodiscard]] Fetch fetch_of(Part const& part) const;
    void read_index_again(TimePoint now, Fetch const& fetch);
    void prove(MappedObject& object, Fetch const& fetch);

    void plan_index(TimePoint now, Situation const& situation, std::vector<FetchWanted>& fetches);
    void plan_first(TimePoint now, Situation const& situation, std::vector<FetchWanted>& fetches);
    void plan_units(TimePoint now, Situation const& situation, std::vector<FetchWanted>& fetches);
    void plan_object(TimePoint now, Situation const& situation, MappedObject const& object,
                     std::vector<UnitIndex> const& wanted, std::vector<FetchWanted>& fetches);
    bool begin(TimePoint now, Situation const& situation, Fetch fetch, std::string path,
               std::vector<FetchWanted>& fetches);
    [[nodiscard]] std::optional<std::size_t> choose(TimePoint now, std::size_t bytes,
                                                    Situation const& situation) const;
    [[nodiscard]] bool plan_chunks(TimePoint now, Situation const& situation, Fetch fetch,
                                   MappedObject const& object, UnitIndex unit,
                                   std::vector<FetchWanted>& fetches);
    [[nodiscard]] bool reads_index() const;
    [[nodiscard]] std::optional<std::size_t> to_probe(TimePoint now) const;
    [[nodiscard]] std::size_t to_measure(TimePoint now, std::size_t nearest) const;
    [[nodiscard]] bool has_equals_unmeasured(std::size_t nearest) const;
    [[nodiscard]] bool others_work(TimePoint now, std::size_t server) const;
    [[nodiscard]] TimePoint published(Situation const& situation, MappedObject const& object) const;
    [[nodiscard]] std::optional<TimePoint> wanted_at(TimePoint now, Situation const& situation,
                                                     MappedObject const& object, UnitIndex unit);
    [[nodiscard]] std::size_t unit_bytes() const;
    [[nodiscard]] std::size_t record_bytes() const;
    [[nodiscard]] std::size_t head_bytes(std::uint32_t units) const;
    [[nodiscard]] std::size_t object_bytes(MappedObject const& object) const;
    [[nodiscard]] std::string path_of(MappedObject const& object) const;
    [[nodiscard]] bool is_waiting(TimePoint now, UnitIndex unit) const;
    void look_at(TimePoint at) { next_look_ = std::min(next_look_, at); }
    void refill(TimePoint now, Situation const& situation);

    RescueConfig config_;
    SwarmId swarm_;
    std::uint32_t chunk_size_;
    std::vector<StorageServer> servers_;
    std::vector<StorageHealth> health_;
    std::vector<bool> ignores_ranges_;               ///< by server
    std::vector<std::optional<TimePoint>> answered_; ///< by server, its last answer
    bool has_neighbours_ = false;                    ///< when last planned
    TimePoint joined_;
    Rng rng_;
    std::uint64_t salt_;

    ObjectMap map_;
    std::uint64_t index_sequence_ = 0;
    TimePoint next_index_{};
    unsigned index_misses_ = 0;   ///< reads in a row that brought nothing new
    bool is_index_urgent_ = true; ///< something waits for it
    Duration publish_lag_;
    wire::AddressingMode addressing_;
    std::size_t signature_size_;

    FetchId next_fetch_ = 1;
    std::map<FetchId, Fetch> under_way_;
    std::map<UnitIndex, Attempt> attempts_;
    std::vector<Part> parts_;
    std::vector<FoundUnit> found_;
    std::optional<FoundChunks> chunks_;
    std::optional<std::size_t> gave_; ///< the server whose answer verified
    std::vector<UnitIndex> begun_;
    std::vector<UnitIndex> failed_;
    std::vector<ByteVector> kept_; ///< what `found_` points into besides the answer
    double budget_bytes_ = 4e6;    ///< until the rate is known
    TimePoint refilled_{};
    TimePoint next_look_{};
};

} // namespace ppsp::peer
