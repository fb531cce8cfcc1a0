//! The costliest dispatches with everything that was dispatched inside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::cut;
use crate::audit::report::Found;
use crate::audit::report::counting::Run;
use crate::model::{JobId, Timestamp};

/// Most trees, and most dispatches that are shown of one.
const TREES_MAX: usize = 5;
const NODES_MAX: usize = 12;

/// Deepest indent.
const DEPTH_MAX: u32 = 8;

/// Longest task, agent and status in a tree, in characters.
const TASK_CHARS: usize = 120;
const NAME_CHARS: usize = 100;

/// A dispatch that came from outside, and what was dispatched inside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// What all of it cost, in US dollars.
    pub cost_usd: f64,
    /// How many dispatches it has.
    pub dispatches: u64,
    /// The root, then what is inside it, each before what is inside itself. Only the costliest when there are many.
    pub nodes: Vec<Node>,
}

/// A dispatch in a tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The dispatch.
    pub id: JobId,
    /// How many others it is inside of.
    pub depth: u32,
    /// Its agent.
    pub agent: String,
    /// First words of its task.
    pub task: String,
    /// When it was asked for; this and the rest are guesses when nothing is on record of it.
    pub asked: Timestamp,
    /// When its last record was written.
    pub last: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What it cost by itself, in US dollars.
    pub cost_usd: Option<f64>,
    /// Whether it was answered without an error; nothing while it goes on.
    pub success: Option<bool>,
}

/// Returns the costliest trees. The runs are in another order afterwards.
pub(super) fn costliest(runs: &mut [Run], look_up: &mut dyn FnMut(JobId) -> Option<Found>) -> Vec<Tree> {
    runs.sort_unstable_by_key(|run| (run.root, run.id));
    let trees = runs.chunk_by(|one, other| one.root == other.root);
    let mut ranked: Vec<(f64, &[Run])> = Vec::new();
    for tree in trees {
        let cost: f64 = tree.iter().map(|run| run.cost_usd).sum();
        let at = ranked.partition_point(|(more, _)| *more >= cost);
        if cost > 0.0 && at < TREES_MAX {
            ranked.insert(at, (cost, tree));
            ranked.truncate(TREES_MAX);
        }
    }
    ranked.into_iter().filter_map(|(cost, tree)| Tree::of(cost, tree, look_up)).collect()
}

impl Tree {
    fn of(cost_usd: f64, runs: &[Run], look_up: &mut dyn FnMut(JobId) -> Option<Found>) -> Option<Self> {
        let root = runs.first()?.root;
        let mut inside: Vec<&Run> = runs.iter().filter(|run| run.id != root).collect();
        let dispatches = inside.len() as u64 + 1;
        inside.sort_by(|one, other| other.cost_usd.total_cmp(&one.cost_usd));
        inside.truncate(NODES_MAX - 1);
        let mut nodes = BTreeMap::new();
        let mut parents = BTreeMap::new();
        for id in std::iter::once(root).chain(inside.iter().map(|run| run.id)) {
            let found = look_up(id);
            let parent = found.as_ref().and_then(|found| found.record.parent.as_ref()?.parse().ok());
            parents.insert(id, parent.unwrap_or(root));
            nodes.insert(id, Node::of(id, found.as_ref()));
        }
        let mut children: BTreeMap<JobId, Vec<JobId>> = BTreeMap::new();
        for (id, parent) in parents.iter().filter(|(id, _)| **id != root) {
            // A parent that is not shown is passed over. An id is never inside a later one: there are no circles.
            let shown = nodes.contains_key(parent) && parent < id;
            children.entry(if shown { *parent } else { root }).or_default().push(*id);
        }
        let mut tree = Self { cost_usd, dispatches, nodes: Vec::new() };
        let mut open = vec![(root, 0)];
        while let Some((id, depth)) = open.pop() {
            let Some(mut node) = nodes.remove(&id) else { continue };
            node.depth = depth;
            tree.nodes.push(node);
            let inside = children.remove(&id).unwrap_or_default();
            open.extend(inside.into_iter().rev().map(|id| (id, (depth + 1).min(DEPTH_MAX))));
        }
        Some(tree)
    }
}

impl Node {
    fn of(id: JobId, found: Option<&Found>) -> Self {
        let record = found.map(|found| &found.record);
        let end = record.and_then(|record| record.end.as_ref());
        let text = |text: Option<&String>, chars| cut(text.map_or("", String::as_str), chars);
        let asked = found.map_or(id.created(), |found| found.asked);
        Self {
            id,
            depth: 0,
            agent: text(record.and_then(|record| record.agent.as_ref()), NAME_CHARS),
            task: text(record.and_then(|record| record.task_preview.as_ref()), TASK_CHARS),
            asked,
            last: record.map_or(asked, |record| record.time),
            duration_ms: end.map(|end| end.duration_ms),
            cost_usd: end.and_then(|end| end.cost_usd),
            success: end.map(|end| end.success),
        }
    }
}
