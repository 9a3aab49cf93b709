//! Changes of a table that have not been handed on: of each row the last one, because it is all that counts.

use std::collections::HashMap;

use headwater_sdk::{Error, Result};

use super::message::{Cell, Old};

/// The values of a row, or of its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Image(Box<[u8]>);

impl Image {
    /// Of values.
    pub fn new<'a>(cells: impl IntoIterator<Item = Cell<'a>>) -> Self {
        let mut bytes = Vec::new();
        for cell in cells {
            match cell {
                Cell::Null => bytes.push(b'n'),
                Cell::Unchanged => bytes.push(b'u'),
                Cell::Text(text) => {
                    bytes.push(b't');
                    bytes.extend_from_slice(&text.len().to_ne_bytes());
                    bytes.extend_from_slice(text);
                }
            }
        }
        Self(bytes.into())
    }

    /// The values.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (tag, behind) = rest.split_first()?;
            rest = behind;
            Some(match tag {
                b'u' => Cell::Unchanged,
                b't' => {
                    let (length, behind) = rest.split_first_chunk()?;
                    let (text, behind) = behind.split_at_checked(usize::from_ne_bytes(*length))?;
                    rest = behind;
                    Cell::Text(text)
                }
                _ => Cell::Null,
            })
        })
    }
}

/// What becomes of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Last {
    /// It has gone.
    Gone,
    /// It has these values.
    There(Image),
}

/// Changes of one table.
#[derive(Debug)]
pub struct Window {
    /// The places of the key's columns among those that changes tell.
    key: Vec<usize>,
    /// Whether all rows that were there before have gone.
    pub cleared: bool,
    /// By key.
    pub rows: HashMap<Image, Last>,
}

impl Window {
    /// Of a table whose key is at these places.
    pub fn new(key: Vec<usize>) -> Self {
        Self { key, cleared: false, rows: HashMap::new() }
    }

    /// Whether there is nothing to hand on.
    pub fn is_empty(&self) -> bool {
        !self.cleared && self.rows.is_empty()
    }

    /// Takes what there is.
    pub fn take(&mut self) -> (bool, HashMap<Image, Last>) {
        (std::mem::take(&mut self.cleared), std::mem::take(&mut self.rows))
    }

    fn key_of(&self, cells: &[Cell<'_>]) -> Result<Image> {
        let cells: Vec<Cell<'_>> = self.key.iter().map(|at| cells.get(*at).copied().unwrap_or(Cell::Null)).collect();
        if cells.iter().any(|cell| !matches!(cell, Cell::Text(_))) {
            return Err(Error::fatal(
                "a change does not tell the key of its row; has the key, or the table's REPLICA IDENTITY, changed? Copy all \
                 tables anew by another `slot`",
            ));
        }
        Ok(Image::new(cells))
    }

    /// A row has come.
    ///
    /// # Errors
    /// If its key is not told.
    pub fn insert(&mut self, new: &[Cell<'_>]) -> Result<()> {
        let key = self.key_of(new)?;
        self.rows.insert(key, Last::There(Image::new(new.iter().copied())));
        Ok(())
    }

    /// A row has changed. What has not changed and is not told is taken from what is known of the row; what remains is to
    /// be asked for.
    ///
    /// # Errors
    /// If its key is not told.
    pub fn update(&mut self, old: Option<&Old<'_>>, new: &[Cell<'_>]) -> Result<()> {
        let mut new = new.to_vec();
        if let Some(old) = old {
            for (at, cell) in new.iter_mut().enumerate().filter(|(_, cell)| **cell == Cell::Unchanged) {
                if let Some(known) = old.values.get(at).filter(|_| old.whole || self.key.contains(&at)) {
                    *cell = *known;
                }
            }
        }
        let key = self.key_of(&new)?;
        let before = old.map(|old| self.key_of(&old.values)).transpose()?;
        let row = match self.rows.get(before.as_ref().unwrap_or(&key)) {
            Some(Last::There(known)) if new.contains(&Cell::Unchanged) => {
                let cells = known.cells().zip(&new);
                Image::new(cells.map(|(known, new)| if *new == Cell::Unchanged { known } else { *new }))
            }
            _ => Image::new(new),
        };
        if let Some(before) = before.filter(|before| *before != key) {
            self.rows.insert(before, Last::Gone);
        }
        self.rows.insert(key, Last::There(row));
        Ok(())
    }

    /// A row has gone.
    ///
    /// # Errors
    /// If its key is not told.
    pub fn delete(&mut self, old: &Old<'_>) -> Result<()> {
        let key = self.key_of(&old.values)?;
        self.rows.insert(key, Last::Gone);
        Ok(())
    }

    /// All rows have gone.
    pub fn clear(&mut self) {
        self.take();
        self.cleared = true;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(text.as_bytes())
    }

    fn key(name: &str) -> Image {
        Image::new([text(name)])
    }

    #[test]
    fn the_last_change_of_a_row_counts() {
        let mut window = Window::new(vec![0]);
        window.insert(&[text("a"), text("1")]).unwrap();
        window.insert(&[text("b"), Cell::Null]).unwrap();
        window.delete(&Old { whole: false, values: vec![text("a"), Cell::Null] }).unwrap();
        // A key moves, and what is stored apart moves with it.
        let old = Old { whole: false, values: vec![text("b"), Cell::Null] };
        window.update(Some(&old), &[text("c"), Cell::Unchanged]).unwrap();
        window.update(None, &[text("d"), Cell::Unchanged]).unwrap();
        let old = Old { whole: true, values: vec![text("e"), text("long")] };
        window.update(Some(&old), &[text("e"), Cell::Unchanged]).unwrap();
        assert_eq!(window.rows[&key("a")], Last::Gone);
        assert_eq!(window.rows[&key("b")], Last::Gone);
        assert_eq!(window.rows[&key("c")], Last::There(Image::new([text("c"), Cell::Null])));
        assert_eq!(window.rows[&key("d")], Last::There(Image::new([text("d"), Cell::Unchanged])));
        assert_eq!(window.rows[&key("e")], Last::There(Image::new([text("e"), text("long")])));
        assert!(window.insert(&[Cell::Null, text("x")]).is_err());
        window.clear();
        assert!(window.cleared && window.rows.is_empty() && !window.is_empty());
        window.insert(&[text("a"), text("1")]).unwrap();
        assert_eq!(window.take().1.len(), 1);
        assert!(window.is_empty());
    }
}
