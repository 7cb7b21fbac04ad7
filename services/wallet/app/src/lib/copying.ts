/**
 * Copies what an element shows. Where a page may not (on a plain address that is not this machine, or when the person refuses)
 * it is marked instead, and their own keys copy it. Whether it was copied.
 */
export async function copied(shown: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(shown);
    return false;
  }
}
