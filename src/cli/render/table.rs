//! Tables: one line a row, cut where they have to be, and without the columns for which there is no room.

use comfy_table::{
    Attribute, Cell as TableCell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table,
    Width, presets,
};

use crate::audit::redact::one_line;
use crate::cli::render::{Screen, Tone};

/// One cell of a table.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
    right: bool,
    whole: bool,
}

/// Longest text of a cell, in characters, where no terminal bounds it.
const CELL_CHARS: usize = 200;

/// Columns between two columns.
const GAP: usize = 2;

/// The part of a line that a column which is not the last may take, and the least that is taken for one.
const SHARE: usize = 5;
const SHARE_COLUMNS_MIN: usize = 12;

/// The least that the last column, which says most, should have.
const LAST_COLUMNS_MIN: usize = 24;

/// The least of a text that is worth its column.
const COLUMNS_MIN: usize = 8;

impl Cell {
    /// Returns a cell with what `text` says, on one line.
    pub(in crate::cli) fn new(text: impl AsRef<str>) -> Self {
        Self { text: one_line(text.as_ref(), CELL_CHARS), tone: Tone::Plain, right: false, whole: false }
    }

    /// Returns the cell with its text at the right edge, as numbers stand.
    pub(in crate::cli) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Returns the cell with a text that is never cut: one that people type, such as an id or a name.
    pub(in crate::cli) const fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Returns the cell in another tone.
    pub(in crate::cli) const fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

impl Screen {
    /// Returns a table: one line a row, no wider than the terminal.
    pub(in crate::cli) fn table(self, headings: &[&str], rows: Vec<Vec<Cell>>) -> String {
        self.table_of(headings, rows, None)
    }

    /// Returns a table whose last column says most. Where there is no room for it, columns are left out: that with the
    /// highest rank goes first, those of rank 0 stay, and no other takes more than its share.
    pub(in crate::cli) fn ranked_table(self, columns: &[(&str, u8)], rows: Vec<Vec<Cell>>) -> String {
        let Some(width) = self.width.map(usize::from) else {
            let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
            return self.table(&headings, rows);
        };
        let last = columns.len().saturating_sub(1);
        let most = (width / SHARE).max(SHARE_COLUMNS_MIN);
        let natural = |at: usize, heading: &str| match widths(&rows, at, heading) {
            (longest, true) => GAP + longest,
            (longest, false) => GAP + longest.min(if at == last { LAST_COLUMNS_MIN } else { most }),
        };
        let mut kept: Vec<(usize, usize, u8, &str)> = columns
            .iter()
            .enumerate()
            .map(|(at, (heading, rank))| (at, natural(at, heading), *rank, *heading))
            .collect();
        while kept.iter().map(|(_, columns, ..)| columns).sum::<usize>() > width {
            let highest = kept.iter().map(|(.., rank, _)| *rank).max().filter(|rank| *rank > 0);
            let Some(at) = kept.iter().position(|(.., rank, _)| Some(*rank) == highest) else { break };
            kept.remove(at);
        }
        let headings: Vec<&str> = kept.iter().map(|(.., heading)| *heading).collect();
        let kept: Vec<usize> = kept.iter().map(|(at, ..)| *at).collect();
        self.table_of(&headings, only(&kept, rows), Some(most))
    }

    /// Returns a table in which no column but the last, and those that are never cut, takes more than `most` columns of the
    /// terminal. Where those that are never cut leave nothing for the others, the last of these go.
    fn table_of(self, headings: &[&str], rows: Vec<Vec<Cell>>, most: Option<usize>) -> String {
        let mut kept: Vec<(usize, &str, usize, bool)> = headings
            .iter()
            .enumerate()
            .map(|(at, heading)| {
                let (longest, whole) = widths(&rows, at, heading);
                (at, *heading, longest, whole)
            })
            .collect();
        let least = |(.., longest, whole): &(usize, &str, usize, bool)| {
            GAP + if *whole { *longest } else { (*longest).min(COLUMNS_MIN) }
        };
        while let Some(width) = self.width.map(usize::from)
            && kept.iter().map(least).sum::<usize>() > width + GAP
            && let Some(at) = kept.iter().rposition(|(.., whole)| !whole)
        {
            kept.remove(at);
        }
        let headings: Vec<&str> = kept.iter().map(|(_, heading, ..)| *heading).collect();
        let rows = only(&kept.iter().map(|(at, ..)| *at).collect::<Vec<_>>(), rows);
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_truncation_indicator("…");
        // Rows are cut where they have to be, not at the last word that fits: this character is in no cell.
        table.set_delimiter('\u{1}');
        match self.width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let bold = headings.iter().map(|heading| TableCell::new(heading).add_attribute(Attribute::Bold));
        let mut header: Row = bold.collect::<Vec<_>>().into();
        header.max_height(1);
        table.set_header(header);
        for row in rows {
            let mut row: Row = row.into_iter().map(styled).collect::<Vec<_>>().into();
            row.max_height(1);
            table.add_row(row);
        }
        let fixed = |columns: usize| u16::try_from(columns + GAP).ok().map(Width::Fixed);
        for (at, (column, (.., longest, whole))) in table.column_iter_mut().zip(&kept).enumerate() {
            column.set_padding((0, 2));
            let constraint = if *whole {
                fixed(*longest).map(ColumnConstraint::Absolute)
            } else {
                let most = most.filter(|_| at + 1 < headings.len()).and_then(fixed);
                most.map(ColumnConstraint::UpperBoundary)
            };
            if let Some(constraint) = constraint.filter(|_| self.width.is_some()) {
                column.set_constraint(constraint);
            }
        }
        table.trim_fmt() + "\n"
    }
}

/// Returns how long the longest text of a column is, and whether it is never cut.
fn widths(rows: &[Vec<Cell>], at: usize, heading: &str) -> (usize, bool) {
    let cells = || rows.iter().filter_map(|row| row.get(at));
    let longest = cells().map(|cell| cell.text.chars().count()).max().unwrap_or(0);
    (longest.max(heading.chars().count()), cells().any(|cell| cell.whole))
}

/// Returns these columns of the rows.
fn only(kept: &[usize], rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let of_row = |row: Vec<Cell>| {
        let cells = row.into_iter().enumerate().filter(|(at, _)| kept.contains(at));
        cells.map(|(_, cell)| cell).collect()
    };
    rows.into_iter().map(of_row).collect()
}

/// Returns the columns of the terminal that standard output is, if it is one.
pub(super) fn terminal_width() -> Option<u16> {
    Table::new().width()
}

fn styled(cell: Cell) -> TableCell {
    let styled = TableCell::new_owned(cell.text);
    let styled = if cell.right { styled.set_alignment(CellAlignment::Right) } else { styled };
    match cell.tone {
        Tone::Plain => styled,
        Tone::Good => styled.fg(Color::Green),
        Tone::Bad => styled.fg(Color::Red),
        Tone::Busy => styled.fg(Color::Yellow),
        Tone::Faint => styled.add_attribute(Attribute::Dim),
        Tone::Strong => styled.add_attribute(Attribute::Bold),
    }
}
