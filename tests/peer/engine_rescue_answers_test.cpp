#include "peer/storage/rescue.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "tests/peer/substream_swarm.hpp"
#include "tests/protocol/decade_objects.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <set>

/// Answers that come when the index says something else by then.
namespace ppsp::peer {
namespace {

using substream_test::at;
using substream_test::FakeView;
using substream_test::unit_0;
using substream_test::when;
using namespace std::chrono_literals;

constexpr std::uint32_t chunks_per_unit = 8;
constexpr std::uint32_t chunk_size = 1024;
constexpr UnixMicros utc = 1'790'000'000'000'000;

struct RescueAnswersTest : testing::Test {
    RescueAnswersTest()
    {
        begin(1);
        situation.units = &view;
        situation.store = &store;
        situation.playing = true;
        situation.unit_duration = 50ms;
        situation.latency = 800ms;
        // Unit 0 of the object is here but for its last two chunks.
        ByteVector const payload(chunks_per_unit * chunk_size, 7);
        StoredUnit* const stored = store.open(
            unit_0,
            integrity::UnitTree::build(*hasher, UnitGrid{chunks_per_unit}.first_chunk(unit_0),
                                       chunks_per_unit, chunk_size, payload),
            to_ntp(utc), {});
        for (std::uint32_t i = 0; i < 6; ++i) {
            store.put(*stored, UnitGrid{chunks_per_unit}.first_chunk(unit_0) + i,
                      Bytes{payload}.first(chunk_size));
        }
        view.edge_ = unit_0;
        for (UnitIndex unit = unit_0; unit < unit_0 + 10; ++unit) {
            view.missing_[unit] = 0;
        }
        view.missing_[unit_0] = 0xc0;
        view.due_ = at(when(unit_0) + 50ms);
    }

    void begin(std::uint64_t seed, std::size_t servers = 1)
    {
        LiveSwarmConfig swarm;
        swarm.id = signer->swarm_id();
        swarm.storage.assign(servers, {StorageTier::cache});
        rescue.emplace(RescueConfig{}, swarm, at(0s), Rng{seed});
    }
    /// One object from `first` on.
    std::string index(UnitIndex first, std::uint32_t units, std::uint32_t width)
    {
        decade::LiveIndex made;
        made.swarm_id = signer->swarm_id();
        made.sequence = ++sequence;
        made.made_at = utc;
        made.chunk_size = chunk_size;
        made.chunks_per_unit = width;
        made.objects.push_back({decade::NiName::of(*hasher, {}),
                                UnitGrid{width}.chunks(first, first + units - 1),
                                1,
                                utc,
                                utc,
                                {}});
        return to_text(made, *signer);
    }
    struct Answered {
        std::size_t found = 0;
        std::vector<Rescue::FoundChunks> chunks;
    };
    Answered answer(FetchWanted const& wanted, unsigned status, std::string const& body)
    {
        Answered result;
        FetchFinished finished;
        finished.fetch = wanted.fetch;
        finished.status = status;
        finished.body = {reinterpret_cast<std::uint8_t const*>(body.data()), body.size()};
        rescue->on_finished(now, finished, {*hasher, checker, utc}, [&](auto const& one) {
            ++result.found;
            if constexpr (std::is_same_v<std::decay_t<decltype(one)>, Rescue::FoundChunks>) {
                result.chunks.push_back(one);
            }
        });
        return result;
    }
    std::vector<FetchWanted> plan()
    {
        std::vector<FetchWanted> fetches;
        rescue->plan(now, situation, fetches);
        return fetches;
    }
    /// The one that is no index.
    static FetchWanted unit_of(std::vector<FetchWanted> const& fetches)
    {
        for (FetchWanted const& each : fetches) {
            if (!each.path.ends_with("/index")) {
                return each;
            }
        }
        ADD_FAILURE() << "no unit is asked for";
        return {};
    }
    /// Nothing but these units of an object of ten is missing; its index is read.
    void miss(std::initializer_list<UnitIndex> units)
    {
        view.missing_[unit_0] = 0;
        for (UnitIndex const unit : units) {
            view.missing_[unit] = substream_test::all_chunks;
        }
        view.edge_ = unit_0 + 9;
        auto const object = channel.object(unit_0, 10, {wire::AddressingMode::chunk32, 1024, 8});
        bytes.assign(object.begin(), object.end());
        answer(plan().front(), 200, index(unit_0, 10, chunks_per_unit));
    }
    /// What an honest server has of that object.
    [[nodiscard]] std::string part_of(FetchWanted const& wanted) const
    {
        return bytes.substr(wanted.range->first, wanted.range->second - wanted.range->first + 1);
    }
    /// The index is read, and the two chunks are asked for.
    FetchWanted ask_for_chunks(std::string const& first_index)
    {
        auto fetches = plan();
        EXPECT_EQ(fetches.size(), 1U);
        answer(fetches.front(), 200, first_index);
        fetches = plan();
        EXPECT_EQ(fetches.size(), 1U);
        return fetches.empty() ? FetchWanted{} : fetches.front();
    }
    /// A unit that is not there three times in a row makes it read the index while the chunks,
    /// asked for as often as it likes, are slow.
    FetchWanted plan_index(FetchWanted const& chunks)
    {
        view.edge_ = unit_0 + 9;
        view.missing_[unit_0 + 9] = substream_test::all_chunks;
        TimePoint const begun = now;
        while (now < begun + 1400ms) {
            for (FetchWanted const& each : plan()) {
                if (each.path.ends_with("/index")) {
                    return each;
                }
                if (each.range != chunks.range) {
                    answer(each, 404, {});
                }
            }
            now += 10ms;
        }
        ADD_FAILURE() << "nobody reads the index";
        return {};
    }

    std::unique_ptr<integrity::Hasher> hasher = integrity::make_hasher(wire::HashFunction::sha256);
    integrity::OpensslChecker checker;
    decade::test::Channel channel;
    integrity::Signer* signer = channel.signer.get();
    LiveStore store{UnitGrid{chunks_per_unit}, chunk_size, 400};
    FakeView view;
    Rescue::Situation situation;
    std::optional<Rescue> rescue;
    std::string bytes; ///< of the object that `miss` told of
    std::uint64_t sequence = 0;
    TimePoint now = at(when(unit_0) + 20ms);
};

TEST_F(RescueAnswersTest, ViewersThatMissTheSameUnitDoNotAskInTheSameMoment)
{
    view.due_ = at(when(unit_0) + 800ms);
    std::string const known = index(unit_0, 10, chunks_per_unit);
    std::set<TimePoint> asked;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        begin(seed);
        now = at(when(unit_0));
        auto const first = plan();
        ASSERT_EQ(first.size(), 1U);
        now += 100ms;
        answer(first.front(), 200, known);
        auto fetches = plan();
        while (fetches.empty() && now < *view.due_) {
            now += 1ms;
            fetches = plan();
        }
        ASSERT_FALSE(fetches.empty());
        asked.insert(now);
    }
    // A quarter of 0.2 s, the time that this server needs and its spread.
    EXPECT_GE(*asked.rbegin() - *asked.begin(), 30ms);
    EXPECT_GE(asked.size(), 8U);
    EXPECT_LE(*asked.rbegin() + 200ms, *view.due_);
}

TEST_F(RescueAnswersTest, OnlyTheMissingChunksAreAskedFor)
{
    FetchWanted const wanted = ask_for_chunks(index(unit_0, 10, chunks_per_unit));
    ASSERT_TRUE(wanted.range);
    EXPECT_EQ(wanted.range->second - wanted.range->first + 1, 2U * chunk_size);
    auto const answered = answer(wanted, 206, std::string(2 * chunk_size, 'x'));
    ASSERT_EQ(answered.chunks.size(), 1U);
    EXPECT_EQ(answered.chunks[0].unit, unit_0);
    EXPECT_EQ(answered.chunks[0].first, UnitGrid{chunks_per_unit}.first_chunk(unit_0) + 6);
}

TEST_F(RescueAnswersTest, APartThatIsShorterThanWhatWasAskedForIsALie)
{
    FetchWanted const wanted = ask_for_chunks(index(unit_0, 10, chunks_per_unit));
    auto const answered = answer(wanted, 206, std::string(2 * chunk_size - 1, 'x'));
    EXPECT_EQ(answered.found, 0U);
    now += 1s;
    EXPECT_TRUE(plan().empty()) << "its only server lied";
}

TEST_F(RescueAnswersTest, NobodyIsBlamedForAPartThatDoesNotFitAnotherServersRecord)
{
    begin(1, 2);
    miss({unit_0 + 3});
    auto fetches = plan();
    ASSERT_EQ(fetches.size(), 2U) << "record and unit";
    std::size_t const liar = fetches[0].server;
    std::string record = part_of(fetches[0]);
    record.back() ^= 1; // of the signature
    answer(fetches[0], 206, record);
    answer(fetches[1], 503, {});
    std::size_t found = 0;
    for (int turn = 0; turn < 20 && found == 0; ++turn) {
        now += 20ms;
        for (FetchWanted const& each : plan()) {
            if (each.range) {
                EXPECT_NE(each.server, liar);
                found += answer(each, 206, part_of(each)).found;
            }
        }
    }
    EXPECT_EQ(found, 1U);
}

TEST_F(RescueAnswersTest, OnlyTheRecordsOfUnitsThatAreWantedAreAskedForAndOnlyOnce)
{
    miss({unit_0 + 3, unit_0 + 5});
    auto const fetches = plan();
    ASSERT_EQ(fetches.size(), 3U) << "records and two units";
    constexpr std::uint64_t record = 8 + 8 + 64; // chunks, time, signature
    std::uint64_t const first = 20 + channel.id.size() + 3 * record;
    EXPECT_EQ(fetches[0].range, (std::pair{first, first + 3 * record - 1}));
    EXPECT_EQ(answer(fetches[1], 206, part_of(fetches[1])).found, 0U) << "nothing proves it yet";
    EXPECT_EQ(answer(fetches[0], 206, part_of(fetches[0])).found, 1U);
    EXPECT_EQ(answer(fetches[2], 206, part_of(fetches[2])).found, 1U);
    view.missing_[unit_0 + 3] = view.missing_[unit_0 + 5] = 0;
    view.missing_[unit_0 + 4] = substream_test::all_chunks; // its record lay between
    now += 20ms;
    auto const next = plan();
    ASSERT_EQ(next.size(), 1U) << "the unit";
    EXPECT_EQ(answer(next.front(), 206, part_of(next.front())).found, 1U);
}

TEST_F(RescueAnswersTest, APartWhoseRecordsCameToNothingIsAskedForAgainAtOnce)
{
    begin(1, 2);
    miss({unit_0 + 3});
    auto const fetches = plan();
    ASSERT_EQ(fetches.size(), 2U) << "record and unit";
    std::string record = part_of(fetches[0]);
    record.front() ^= 1; // another unit's
    EXPECT_EQ(answer(fetches[0], 206, record).found, 0U);
    EXPECT_EQ(answer(fetches[1], 206, part_of(fetches[1])).found, 0U);
    std::size_t found = 0;
    for (FetchWanted const& each : plan()) {
        if (each.range) {
            EXPECT_NE(each.server, fetches[0].server) << "it lied";
            found += answer(each, 206, part_of(each)).found;
        }
    }
    EXPECT_EQ(found, 1U);
}

TEST_F(RescueAnswersTest, AnObjectThatMovedGivesNothingAndTheUnitIsGivenBack)
{
    FetchWanted const wanted = ask_for_chunks(index(unit_0, 10, chunks_per_unit));
    // The chunks are slow: an index that was asked for before them comes first.
    auto const reading = plan_index(wanted);
    static_cast<void>(rescue->take_failed());
    answer(reading, 200, index(unit_0 - 6, 10, chunks_per_unit));
    auto const answered = answer(wanted, 206, std::string(2 * chunk_size, 'x'));
    EXPECT_EQ(answered.found, 0U);
    auto const failed = rescue->take_failed();
    EXPECT_NE(std::find(failed.begin(), failed.end(), unit_0), failed.end());
}

TEST_F(RescueAnswersTest, WhatIsAskedOfAServerThatFailedIsAskedOfPeersToo)
{
    situation.has_neighbours = true;
    FetchWanted wanted = ask_for_chunks(index(unit_0, 10, chunks_per_unit));
    EXPECT_EQ(rescue->take_begun(), std::vector{unit_0});
    answer(wanted, 503, {});
    EXPECT_EQ(rescue->take_failed(), std::vector{unit_0});
    // It is asked again; that it gives units in time it has to show by one.
    now += StorageHealth::pause_min;
    wanted = unit_of(plan());
    EXPECT_TRUE(rescue->take_begun().empty());
    answer(wanted, 503, {});
    EXPECT_TRUE(rescue->take_failed().empty()) << "nobody had stopped asking for it";
    now += 2 * StorageHealth::pause_min;
    wanted = unit_of(plan());
    EXPECT_EQ(answer(wanted, 206, std::string(2 * chunk_size, 'x')).chunks.size(), 1U);
    view.missing_[unit_0] = 0;
    view.missing_[unit_0 + 1] = 1;
    view.edge_ = unit_0 + 1;
    static_cast<void>(unit_of(plan()));
    EXPECT_EQ(rescue->take_begun(), std::vector{unit_0 + 1});
}

std::string text_of(ByteVector const& bytes)
{
    return {bytes.begin(), bytes.end()};
}

TEST_F(RescueAnswersTest, AnObjectOfAnotherChannelIsALieHoweverWellItIsSigned)
{
    decade::ObjectFormat format;
    format.chunks_per_unit = chunks_per_unit;
    decade::test::Channel other;
    view.missing_[unit_0] = substream_test::all_chunks;
    for (UnitIndex unit = unit_0; unit < unit_0 + 10; ++unit) {
        view.missing_[unit] = substream_test::all_chunks;
    }
    situation.alone = true;
    FetchWanted const wanted = ask_for_chunks(index(unit_0, 10, chunks_per_unit));
    EXPECT_FALSE(wanted.range) << "all of it is missing";
    EXPECT_EQ(answer(wanted, 200, text_of(other.object(unit_0, 10, format))).found, 0U);
    EXPECT_TRUE(plan().empty()) << "nobody else is left to ask";
    now += StorageHealth::lie_pause;
    FetchWanted const again = unit_of(plan());
    EXPECT_EQ(answer(again, 200, text_of(channel.object(unit_0, 10, format))).found, 10U);
}

TEST_F(RescueAnswersTest, AHeadOfAnotherChannelProvesNothing)
{
    decade::ObjectFormat format;
    format.chunks_per_unit = chunks_per_unit;
    decade::test::Channel other;
    view.missing_[unit_0] = 0;
    view.missing_[unit_0 + 1] = substream_test::all_chunks;
    view.edge_ = unit_0 + 1;
    auto fetches = plan();
    ASSERT_EQ(fetches.size(), 1U);
    answer(fetches.front(), 200, index(unit_0, 10, chunks_per_unit));
    fetches = plan();
    ASSERT_EQ(fetches.size(), 2U) << "head and unit";
    std::string const theirs = text_of(other.object(unit_0, 10, format));
    std::size_t found = 0;
    for (FetchWanted const& each : fetches) {
        ASSERT_TRUE(each.range);
        found +=
            answer(each, 206,
                   theirs.substr(each.range->first, each.range->second - each.range->first + 1))
                .found;
    }
    EXPECT_EQ(found, 0U);
}

TEST_F(RescueAnswersTest, AnIndexOfOtherUnitsIsNotUsed)
{
    auto fetches = plan();
    ASSERT_EQ(fetches.size(), 1U);
    answer(fetches.front(), 200, index(unit_0, 10, 2 * chunks_per_unit));
    for (FetchWanted const& wanted : plan()) {
        EXPECT_TRUE(wanted.path.ends_with("/index"));
    }
}

/// Half a minute of objects that are all there and all missing.
TEST(RescueBudget, IsSixSecondsAtOnceAndOneAndAHalfStreamsThenWhateverIsMissing)
{
    constexpr std::uint32_t units = 10;
    constexpr std::uint64_t objects = 60;
    constexpr decade::ObjectFormat format{wire::AddressingMode::chunk32, chunk_size,
                                          chunks_per_unit};
    decade::test::Channel channel;
    decade::LiveIndex index;
    index.swarm_id = channel.id;
    index.sequence = 1;
    index.made_at = utc;
    index.chunk_size = chunk_size;
    index.chunks_per_unit = chunks_per_unit;
    std::map<std::string, ByteVector> files;
    for (std::uint64_t i = 0; i < objects; ++i) {
        auto bytes = channel.object(unit_0 + i * units, units, format);
        UnitIndex const first = unit_0 + i * units;
        auto const name = decade::NiName::of(*channel.hasher, bytes);
        index.objects.push_back({name,
                                 UnitGrid{chunks_per_unit}.chunks(first, first + units - 1),
                                 bytes.size(),
                                 utc,
                                 utc,
                                 {}});
        files[name.path()] = std::move(bytes);
    }
    std::string const text = to_text(index, *channel.signer);
    files[decade::index_path(channel.id)] = {text.begin(), text.end()};

    LiveSwarmConfig swarm;
    swarm.id = channel.id;
    swarm.storage = {{StorageTier::cdn}};
    RescueConfig const config;
    Rescue rescue{config, swarm, at(0s), Rng{1}};
    FakeView view;
    view.edge_ = unit_0 + objects * units - 1;
    LiveStore const store{UnitGrid{chunks_per_unit}, chunk_size, 400};
    Rescue::Situation situation;
    situation.units = &view;
    situation.store = &store;
    situation.playing = true;
    situation.alone = true;
    situation.unit_duration = 50ms;
    situation.latency = 800ms;
    integrity::OpensslChecker checker;

    // Everything that it asks for comes at once, until it asks for nothing more.
    auto const fetch_all = [&](TimePoint now) {
        std::uint64_t got = 0;
        for (bool more = true; more;) {
            std::vector<FetchWanted> fetches;
            rescue.plan(now, situation, fetches);
            more = !fetches.empty();
            EXPECT_LE(fetches.size(), config.fetches_max);
            for (FetchWanted const& wanted : fetches) {
                FetchFinished finished;
                finished.fetch = wanted.fetch;
                finished.status = 200;
                finished.body = files.at(wanted.path);
                got += finished.body.size();
                rescue.on_finished(
                    now, finished, {*channel.hasher, checker, utc}, [&](auto const& one) {
                        using Found = std::decay_t<decltype(one)>;
                        if constexpr (std::is_same_v<Found, Rescue::FoundUnit>) {
                            view.missing_[to_number(one.chunks.first) / chunks_per_unit] = 0;
                        }
                    });
            }
        }
        return static_cast<double>(got);
    };
    constexpr double per_second = 20.0 * chunks_per_unit * chunk_size;
    constexpr double object = 1.1 * units * chunks_per_unit * chunk_size;
    TimePoint const begun = at(when(unit_0 + objects * units) + 10s);
    double const first = fetch_all(begun);
    EXPECT_LE(first, config.budget_burst_s * per_second + object);
    EXPECT_GE(first, 0.5 * config.budget_burst_s * per_second);
    double later = 0;
    for (Duration passed = 100ms; passed <= 4s; passed += 100ms) {
        later += fetch_all(begun + passed);
    }
    EXPECT_LE(later, 4 * config.budget_rate * per_second + object);
    EXPECT_GE(later, 4 * per_second);
}

} // namespace
} // namespace ppsp::peer
